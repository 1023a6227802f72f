"""Where Google credentials come from: a file of any kind, google-auth's defaults, the metadata server.

Heavy (it imports google-auth) and blocking: imported and run in a worker thread only. google-auth's own
HTTP transport and metadata-server client need the requests package; both are replaced here.
Sources: google-auth's reference; cloud.google.com/compute/docs/metadata/querying-metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import google.auth
import google.auth.transport
import httpx
import orjson
from google.auth import credentials as google_credentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError

from fastproxy.types import Headers, Json
from fastproxy.upstream.google_faults import NO_DEFAULT, auth_error

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
PROBE_SECONDS = 3.0
ASSUMED_LIFETIME_SECONDS = 3600.0
"""Of a token whose answer named no end."""
METADATA_ADDRESS = "169.254.169.254"
FLAVOR = {"metadata-flavor": "Google"}


class Credentials(Protocol):
    """What is used of google-auth's credentials."""

    token: str | None
    expiry: datetime | None
    """Naive, in UTC."""

    @property
    def quota_project_id(self) -> str | None:
        """The project that pays, where it is not the resource's own."""
        ...

    def refresh(self, request: HttpRequest) -> None:
        """Fetches a new token."""
        ...


class Source(NamedTuple):
    """Credentials, the project they name ("" if none), and words for messages."""

    credentials: Credentials
    project: str
    name: str


class HttpResponse(NamedTuple):
    """An answer in the form google-auth reads."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class HttpRequest(google.auth.transport.Request):
    """google-auth's transport over an httpx client that lives for one refresh.

    Proxies of the environment are used, as by every Google tool, but never on the way to the metadata server.
    """

    def __init__(self, http: Callable[[], httpx.Client] | None, metadata_host: str) -> None:
        direct = {f"all://{host}": None for host in (metadata_host, METADATA_ADDRESS)}
        self.last_status = 0
        """The latest answer's, since google-auth forgets it in some of its errors; 0: there was none."""
        self._client = http() if http else httpx.Client(timeout=TIMEOUT, mounts=direct)

    def __enter__(self) -> HttpRequest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **others: Any,
    ) -> HttpResponse:
        """The answer, whatever its status. Raises google-auth's TransportError where there is none."""
        if others.get("cert"):
            raise TransportError("client certificates (mutual TLS) are not supported")  # type: ignore[no-untyped-call]
        try:
            response = self._client.request(
                method, url, content=body, headers=headers, timeout=timeout or self._client.timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            host = url.partition("://")[2].partition("/")[0]
            raise TransportError(f"{host}: {error or type(error).__name__}") from error  # type: ignore[no-untyped-call]
        self.last_status = response.status_code
        return HttpResponse(response.status_code, response.headers, response.content)


class MetadataServer:
    """The identity of the machine, or of the pod: Compute Engine, GKE, Cloud Run."""

    def __init__(self, host: str) -> None:
        self._root = f"http://{host}/"
        self.token: str | None = None
        self.expiry: datetime | None = None
        self.quota_project_id: str | None = None

    def answers(self, request: HttpRequest) -> bool:
        """Whether there is a metadata server here."""
        try:
            response = request(self._root, headers=FLAVOR, timeout=PROBE_SECONDS)
        except TransportError:
            return False
        return response.headers.get("metadata-flavor") == FLAVOR["metadata-flavor"]

    def project(self, request: HttpRequest) -> str:
        """The machine's project, "" where it does not say."""
        response = self._get(request, "project/project-id")
        return response.data.decode() if response.status == 200 else ""

    def refresh(self, request: HttpRequest) -> None:
        """Fetches the token of the machine's or pod's service account."""
        path = f"instance/service-accounts/default/token?scopes={SCOPE}"
        response = self._get(request, path)
        if response.status >= 500 or response.status == 429:
            raise RefreshError(f"it answered {response.status}", retryable=True)  # type: ignore[no-untyped-call]
        if response.status != 200:
            raise auth_error(
                f"the metadata server gave no token (it answered {response.status}): give this machine or "
                "pod a service account, on GKE by workload identity."
            )
        answer = orjson.loads(response.data)
        self.token = answer["access_token"]
        self.expiry = _utc_now() + timedelta(seconds=int(answer["expires_in"]))

    def _get(self, request: HttpRequest, path: str) -> HttpResponse:
        return request(f"{self._root}computeMetadata/v1/{path}", headers=FLAVOR)


def load(credentials_file: str, metadata_host: str, request: HttpRequest) -> Source:
    """The credentials of this file, or where it is "" those of this machine. Fetches no token yet."""
    return _from_file(credentials_file) if credentials_file else _from_surroundings(metadata_host, request)


def fetch(source: Source, request: HttpRequest) -> tuple[Headers, float]:
    """A new token's headers, and the seconds it is still good for."""
    credentials = source.credentials
    credentials.refresh(request)
    if not isinstance(credentials.token, str) or not credentials.token.isascii():
        raise ValueError("no token in the answer")
    lifetime = ASSUMED_LIFETIME_SECONDS
    if credentials.expiry is not None:
        lifetime = max(0.0, (credentials.expiry - _utc_now()).total_seconds())
    headers: Headers = (("authorization", f"Bearer {credentials.token}"),)
    if credentials.quota_project_id:
        headers += (("x-goog-user-project", credentials.quota_project_id),)
    return headers, lifetime


def _from_surroundings(metadata_host: str, request: HttpRequest) -> Source:
    try:
        credentials, project = google.auth.default(scopes=[SCOPE], request=request)
    except DefaultCredentialsError as error:
        if "were not found" not in str(error):  # something was found, and is broken: say so
            raise
    else:
        return Source(credentials, project or "", "application default credentials")
    server = MetadataServer(metadata_host)
    if not server.answers(request):
        raise auth_error(NO_DEFAULT)
    return Source(server, server.project(request), "the metadata server")


def _from_file(path: str) -> Source:
    info = _read(path)
    kind = info.get("type")
    loader = _LOADERS.get(kind) if isinstance(kind, str) else None
    if loader is None:
        known = ", ".join(_LOADERS)
        raise auth_error(f"the credentials file {path} has type {kind!r:.40}, expected one of {known}.")
    try:
        credentials = _with_quota_project(loader(info), info.get("quota_project_id"))
    except Exception:  # noqa: BLE001 (whatever is wrong with a key, and its words may hold the key)
        raise auth_error(
            f"the credentials file {path} is no valid {kind} file: a field is missing, or the private key is "
            "damaged. Download a new key, or run `gcloud auth application-default login`."
        ) from None
    project = info.get("project_id") or info.get("quota_project_id")
    return Source(credentials, project if isinstance(project, str) else "", f"the {kind} file {path}")


def _read(path: str) -> Json:
    try:
        info = orjson.loads(Path(path).read_bytes())
    except OSError as error:
        raise auth_error(
            f"the credentials file {path} cannot be read ({error.strerror}): mend "
            "providers.vertex.credentials_file, or leave it empty and run "
            "`gcloud auth application-default login`."
        ) from None
    except orjson.JSONDecodeError:
        info = None
    if not isinstance(info, dict):
        raise auth_error(f"the credentials file {path} is not JSON: download the key again.") from None
    return info


def _service_account(info: Json) -> Any:
    from google.oauth2 import service_account

    return service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]


def _authorized_user(info: Json) -> Any:
    from google.oauth2 import credentials

    # With the scopes of the login. google-auth overrides the file's token_uri: put it back.
    user = credentials.Credentials.from_authorized_user_info(info)  # type: ignore[no-untyped-call]
    return user.with_token_uri(info["token_uri"]) if info.get("token_uri") else user


def _external_account(info: Json) -> Any:
    from google.auth import aws, identity_pool, pluggable

    if info.get("subject_token_type") == "urn:ietf:params:aws:token-type:aws4_request":
        return aws.Credentials.from_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    executable = (info.get("credential_source") or {}).get("executable")
    return (pluggable if executable else identity_pool).Credentials.from_info(info, scopes=[SCOPE])


def _external_user(info: Json) -> Any:
    from google.auth import external_account_authorized_user

    return external_account_authorized_user.Credentials.from_info(info)  # type: ignore[no-untyped-call]


def _impersonated(info: Json) -> Any:
    from google.auth.impersonated_credentials import Credentials as Impersonated

    return Impersonated.from_impersonated_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]


_LOADERS: dict[str, Callable[[Json], Any]] = {
    "service_account": _service_account,
    "authorized_user": _authorized_user,
    "external_account": _external_account,
    "external_account_authorized_user": _external_user,
    "impersonated_service_account": _impersonated,
}


def _with_quota_project(credentials: Any, quota_project: str | None) -> Any:
    if not isinstance(credentials, google_credentials.CredentialsWithQuotaProject):
        return credentials
    if quota_project and not credentials.quota_project_id:
        credentials = credentials.with_quota_project(quota_project)  # type: ignore[no-untyped-call]
    return credentials.with_quota_project_from_environment()


def _utc_now() -> datetime:
    """As google-auth writes it: naive."""
    return datetime.now(UTC).replace(tzinfo=None)
