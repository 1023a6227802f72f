"""Google's token: there when it is needed, refreshed once for all, and every fault in words that help."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import httpx
import orjson
import pytest

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.upstream import google_auth
from fastproxy.upstream.google_auth import GoogleCredential
from testkit.vertex import service_account as service_account_at

AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q"
SERVER_WORDS_WITH_A_SECRET = "ya29." + "s3cr3t" * 10


class TokenEndpoint(ThreadingHTTPServer):
    """Google's token endpoint, STS and the metadata server on loopback; counts, and answers as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.host = f"127.0.0.1:{self.server_address[1]}"
        self.url = f"http://{self.host}/token"
        self.requests: list[tuple[str, dict[str, list[str]]]] = []
        self.status = 200
        self.expires_in: Any = 3600
        self.body: bytes | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.gate.set()
        self.shutdown()
        self.server_close()
        self.thread.join()

    def refuse(self, error: str, description: str) -> None:
        self.status, self.body = 400, orjson.dumps({"error": error, "error_description": description})

    def answer(self) -> bytes:
        if self.body is not None:
            return self.body
        return orjson.dumps({"access_token": f"token-{len(self.requests)}", "expires_in": self.expires_in})


class _Handler(BaseHTTPRequestHandler):
    server: TokenEndpoint

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        form = parse_qs(self.rfile.read(length).decode())
        self.server.requests.append((self.path, form))
        self.server.gate.wait(10)
        self._reply(self.server.status, self.server.answer())

    def do_GET(self) -> None:
        if self.headers["metadata-flavor"] != "Google":
            return self._reply(403, b"")
        if self.path == "/":
            return self._reply(200, b"")
        if self.path.endswith("/project-id"):
            return self._reply(200, b"machine-project")
        self.server.requests.append((self.path, {}))
        return self._reply(self.server.status, self.server.answer())

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("metadata-flavor", "Google")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Clock:
    """Monotonic and wall time in one; who sleeps on it wakes when a test advances it."""

    def __init__(self) -> None:
        self.seconds = 5000.0
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        future = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.seconds + seconds, future))
        await future

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
        for until, future in self.sleepers:
            if until <= self.seconds and not future.done():
                future.set_result(None)


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    server = TokenEndpoint()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine, no requests package (it is no dependency), no waiting in retries."""
    import google.auth._exponential_backoff as backoff

    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_QUOTA_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-gcloud"))
    monkeypatch.setitem(sys.modules, "google.auth.transport.requests", None)
    monkeypatch.setattr(backoff, "time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], str]:
    def write(content: Any) -> str:
        file = tmp_path / "credentials.json"
        file.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))
        return str(file)

    return write


@pytest.fixture
def service_account(endpoint: TokenEndpoint) -> dict[str, Any]:
    return service_account_at(endpoint.url)


@pytest.fixture
def user(endpoint: TokenEndpoint) -> dict[str, Any]:
    return {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "secret",
        "refresh_token": "refresh",
        "token_uri": endpoint.url,
        "quota_project_id": "payer",
    }


@pytest.fixture
async def make(clock: Clock, endpoint: TokenEndpoint) -> Any:
    made: list[GoogleCredential] = []

    def make(file: str = "", project: str = "", **others: Any) -> GoogleCredential:
        others.setdefault("metadata_host", closed_port())
        credential = GoogleCredential(
            file, project, now=clock.now, wall=clock.now, sleep=clock.sleep, **others
        )
        made.append(credential)
        return credential

    yield make
    endpoint.gate.set()
    for credential in made:
        await credential.aclose()


Make = Callable[..., GoogleCredential]
Write = Callable[[Any], str]


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def failure(awaitable: Awaitable[object]) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await awaitable
    return caught.value


def assert_auth_error(error: UpstreamError, *words: str) -> None:
    assert error.kind is ErrorKind.UPSTREAM_AUTH
    assert not error.retryable
    assert error.headers == {"x-should-retry": "false"}
    for word in words:
        assert word in error.message


async def test_a_service_account_gets_a_token_from_its_own_token_uri(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    credential = make(write(service_account))
    assert credential.header() is None
    assert await credential.ensure() == "Bearer token-1"
    assert credential.header() == "Bearer token-1"
    assert credential.headers() == (("authorization", "Bearer token-1"),)
    assert credential.project == "file-project"
    [(path, form)] = endpoint.requests
    assert path == "/token"
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


async def test_a_user_gets_a_token_from_the_files_token_uri_and_pays_with_the_quota_project(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    credential = make(write(user), "my-project")
    expected = (("authorization", "Bearer token-1"), ("x-goog-user-project", "payer"))
    assert await credential.ensure_headers() == expected
    assert credential.headers() == expected
    assert credential.project == "my-project"
    assert endpoint.requests[0][1]["refresh_token"] == ["refresh"]


async def test_a_workload_identity_exchanges_its_subject_token(
    make: Make, write: Write, endpoint: TokenEndpoint, tmp_path: Path
) -> None:
    subject = tmp_path / "subject"
    subject.write_text("my-subject-token")
    endpoint.body = orjson.dumps(
        {
            "access_token": "exchanged",
            "expires_in": 3600,
            "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
    )
    file = write(
        {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": endpoint.url,
            "credential_source": {"file": str(subject)},
        }
    )
    credential = make(file, "my-project")
    assert await credential.ensure() == "Bearer exchanged"
    assert endpoint.requests[0][1]["subject_token"] == ["my-subject-token"]
    subject.unlink()
    assert_auth_error(await failure(make(file).ensure()), "external_account", "not found")


async def test_without_a_file_googles_default_credentials_are_used(
    make: Make, write: Write, service_account: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", write(service_account))
    credential = make()
    assert await credential.ensure() == "Bearer token-1"
    assert credential.project == "file-project"
    assert credential.status()["source"] == "application default credentials"


async def test_the_metadata_server_is_asked_last(make: Make, endpoint: TokenEndpoint) -> None:
    credential = make(metadata_host=endpoint.host)
    assert await credential.ensure() == "Bearer token-1"
    assert credential.project == "machine-project"
    assert endpoint.requests[0][0].startswith("/computeMetadata/v1/instance/service-accounts/default/token")


async def test_the_way_to_the_metadata_server_leads_through_no_proxy(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{closed_port()}")
    assert await make(metadata_host=endpoint.host).ensure() == "Bearer token-1"
    error = await failure(make(write(user)).ensure())  # any other way does
    assert error.kind is ErrorKind.CONNECTION_FAILED


async def test_the_http_client_can_be_handed_over(make: Make, write: Write, user: dict[str, Any]) -> None:
    answer = httpx.Response(200, json={"access_token": "handed", "expires_in": 3600})
    clients: list[httpx.Client] = []

    def http() -> httpx.Client:
        clients.append(httpx.Client(transport=httpx.MockTransport(lambda request: answer)))
        return clients[-1]

    assert await make(write(user), http=http).ensure() == "Bearer handed"
    assert [client.is_closed for client in clients] == [True]


def test_google_auth_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, fastproxy.upstream.google_auth as g; g.GoogleCredential(); "
    code += "print('google.auth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"False\n"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, ErrorKind.UPSTREAM_AUTH), (503, ErrorKind.BAD_RESPONSE), (200, ErrorKind.BAD_RESPONSE)],
)
async def test_a_metadata_server_without_a_token_is_an_error(
    make: Make, endpoint: TokenEndpoint, status: int, kind: ErrorKind
) -> None:
    endpoint.status, endpoint.body = status, b"<html>"
    error = await failure(make(metadata_host=endpoint.host).ensure())
    assert error.kind is kind


async def test_nothing_found_anywhere_says_what_to_do(make: Make) -> None:
    error = await failure(make().ensure())
    assert_auth_error(error, "gcloud auth application-default login", "providers.vertex.credentials_file")


async def test_a_broken_default_is_an_error_though_there_is_a_metadata_server(
    make: Make, endpoint: TokenEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    error = await failure(make(metadata_host=endpoint.host).ensure())
    assert_auth_error(error, "/no/such/file.json", "not found", "GOOGLE_APPLICATION_CREDENTIALS")


async def test_a_default_that_google_auth_cannot_load_without_requests_names_the_setting(
    make: Make, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(
        {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/no/such/file"},
        }
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
    assert_auth_error(await failure(make().ensure()), "providers.vertex.credentials_file")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{not json", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "not JSON"),
        (b"{}", "service_account"),
        ({"type": 5}, "service_account"),
        ({"type": "gdch_service_account"}, "gdch_service_account"),
        ({"installed": {"client_secret": "hush"}}, "service_account"),
        ({"type": "service_account"}, "a field is missing"),
        ({"type": "service_account", "private_key": 5, "client_email": {}, "token_uri": []}, "damaged"),
        ({"type": "authorized_user", "client_id": "x"}, "a field is missing"),
        ({"type": "external_account"}, "a field is missing"),
        ({"type": "external_account", "credential_source": "x"}, "a field is missing"),
        ({"type": "impersonated_service_account"}, "a field is missing"),
        ({"type": "external_account_authorized_user"}, "a field is missing"),
    ],
)
async def test_a_file_that_is_no_credential_is_named(
    make: Make, write: Write, content: Any, word: str
) -> None:
    file = write(content)
    error = await failure(make(file).ensure())
    assert_auth_error(error, file, word)
    assert "hush" not in error.message


async def test_a_file_that_is_missing_is_named(make: Make, tmp_path: Path) -> None:
    error = await failure(make(str(tmp_path / "none.json")).ensure())
    assert_auth_error(error, "none.json", "No such file", "providers.vertex.credentials_file")


async def test_a_bad_private_key_is_an_error_that_does_not_quote_it(
    make: Make, write: Write, service_account: dict[str, Any]
) -> None:
    service_account["private_key"] = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"
    error = await failure(make(write(service_account)).ensure())
    assert_auth_error(error, "private key is damaged")
    assert "c2VjcmV0" not in error.message


@pytest.mark.parametrize(
    ("code", "description", "words"),
    [
        ("invalid_grant", "Token has been expired or revoked.", ["revoked", "application-default login"]),
        ("invalid_grant", "Invalid grant: account not found", ["deleted"]),
        ("deleted_client", "The OAuth client was deleted.", ["deleted"]),
        ("invalid_grant", "reauth related error (invalid_rapt)", ["new login", "application-default login"]),
        (
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
            "Check your iat and exp values in the JWT claim.",
            ["clock", "NTP"],
        ),
        ("access_denied", f"Not today. {SERVER_WORDS_WITH_A_SECRET}", ["Not today."]),
    ],
)
async def test_a_refusal_says_what_to_do_and_tells_no_secret(
    make: Make,
    write: Write,
    user: dict[str, Any],
    endpoint: TokenEndpoint,
    code: str,
    description: str,
    words: list[str],
) -> None:
    endpoint.refuse(code, description)
    error = await failure(make(write(user), "p").ensure())
    assert_auth_error(error, *words, "authorized_user")
    assert "s3cr3t" not in error.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"oops"),
        (503, b'{"error": "temporarily_unavailable"}'),
        (200, b"<html>hello</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"access_token": 5}'),
        (200, b'{"access_token": "x\xc3\xa9", "expires_in": 3600}'),
        (200, b'{"access_token": "x", "expires_in": "soon"}'),
        (200, b'{"access_token": "x", "expires_in": [1]}'),
    ],
)
async def test_an_answer_that_is_no_token_may_be_retried(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint, status: int, body: bytes
) -> None:
    endpoint.status, endpoint.body = status, body
    error = await failure(make(write(user), "p").ensure())
    assert error.kind is ErrorKind.BAD_RESPONSE
    assert error.retryable


@pytest.mark.parametrize("where", ["closed", "http://", "no scheme", "http://\x00"])
async def test_an_endpoint_out_of_reach_is_a_failed_connection(
    make: Make, write: Write, user: dict[str, Any], where: str
) -> None:
    user["token_uri"] = f"http://{closed_port()}/token" if where == "closed" else where
    error = await failure(make(write(user), "p").ensure())
    assert error.kind is ErrorKind.CONNECTION_FAILED
    assert "token_uri" in error.message


async def test_no_project_anywhere_names_the_setting(make: Make, write: Write, user: dict[str, Any]) -> None:
    del user["quota_project_id"]
    credential = make(write(user))
    await credential.ensure()
    with pytest.raises(UpstreamError) as caught:
        _ = credential.project
    assert_auth_error(caught.value, "providers.vertex.project")


async def test_two_hundred_requests_across_an_expiry_make_one_refresh(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    credential = make(write(service_account))
    assert await credential.ensure() == "Bearer token-1"
    clock.advance(3600)
    assert credential.header() is None
    assert set(await asyncio.gather(*(credential.ensure() for _ in range(200)))) == {"Bearer token-2"}
    assert len(endpoint.requests) == 2


async def test_a_failed_refresh_fails_all_who_wait_with_errors_of_their_own(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    endpoint.refuse("invalid_grant", "revoked")
    credential = make(write(user), "p")
    errors = await asyncio.gather(*(credential.ensure() for _ in range(50)), return_exceptions=True)
    assert len({id(error) for error in errors}) == 50
    assert {str(error) for error in errors} == {str(credential.last_error)}
    assert len(endpoint.requests) == 1


async def test_a_waiter_that_leaves_does_not_cancel_the_refresh_of_the_others(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    endpoint.gate.clear()
    credential = make(write(service_account))
    leaver, stayer = asyncio.create_task(credential.ensure()), asyncio.create_task(credential.ensure())
    await until(lambda: endpoint.requests)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    endpoint.gate.set()
    assert await stayer == "Bearer token-1"
    assert len(endpoint.requests) == 1


async def test_a_slow_endpoint_does_not_block_the_event_loop(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    endpoint.gate.clear()  # opened by the very loop that would be blocked
    waiter = asyncio.create_task(make(write(service_account)).ensure())
    await until(lambda: endpoint.requests)
    endpoint.gate.set()
    assert await waiter == "Bearer token-1"


async def test_the_token_is_renewed_ahead_and_nobody_waits(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    credential = make(write(service_account))
    credential.start()
    credential.start()
    await until(lambda: clock.slept)
    assert clock.slept[0] == pytest.approx(2700, abs=5)
    clock.advance(2710)
    assert credential.header() == "Bearer token-1"
    await until(lambda: credential.header() == "Bearer token-2")
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("lifetime", "wait"),
    [(3600, 2700), (1200, 900), (600, 300), (310, 155), (60, 30), (2, 1), (0, 1), (-5, 1)],
)
async def test_short_lived_tokens_are_not_renewed_for_ever(
    make: Make,
    write: Write,
    service_account: dict[str, Any],
    endpoint: TokenEndpoint,
    clock: Clock,
    lifetime: int,
    wait: float,
) -> None:
    endpoint.expires_in = lifetime
    credential = make(write(service_account))
    credential.start()
    await until(lambda: clock.slept)
    assert clock.slept == [pytest.approx(wait, abs=2, rel=0)]
    assert clock.slept[0] >= google_auth.MIN_REFRESH_SECONDS / 2
    assert len(endpoint.requests) == 1


async def test_a_token_that_is_over_on_arrival_still_serves_its_request(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    endpoint.expires_in = 0
    credential = make(write(service_account))
    assert await credential.ensure() == "Bearer token-1"
    assert credential.header() is None


async def test_a_token_without_an_end_is_renewed_hourly(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    endpoint.body = b'{"access_token": "endless"}'
    credential = make(write(service_account))
    assert await credential.ensure() == "Bearer endless"
    clock.advance(3600)
    assert credential.header() is None


async def test_an_endpoint_that_is_down_is_not_noticed_while_the_token_lives(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    credential = make(write(service_account))
    credential.start()
    await until(lambda: clock.slept)
    endpoint.status, endpoint.body = 503, b"down"
    waits: list[float] = []
    clock.advance(2710)
    for _ in range(8):
        await until(lambda: len(clock.slept) > 1 + len(waits))
        waits.append(clock.slept[-1])
        assert await credential.ensure() == "Bearer token-1"
        clock.advance(waits[-1])
    for wait, full in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert full / 2 <= wait <= full
    assert credential.last_error is not None
    assert "no usable answer" in credential.status()["last_error"]
    endpoint.status, endpoint.body = 200, None
    clock.advance(120)
    await until(lambda: credential.last_error is None)
    assert (credential.header() or "") > "Bearer token-1"


async def test_requests_right_after_a_failure_share_its_error(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    endpoint.refuse("invalid_grant", "revoked")
    credential = make(write(user), "p")
    for _ in range(5):
        await failure(credential.ensure())
    assert len(endpoint.requests) == 1
    clock.advance(google_auth.FAIL_FAST_SECONDS)
    await failure(credential.ensure())
    assert len(endpoint.requests) == 2


async def test_a_new_login_is_found_without_a_restart(
    make: Make, write: Write, user: dict[str, Any], endpoint: TokenEndpoint, clock: Clock
) -> None:
    endpoint.refuse("invalid_grant", "revoked")
    credential = make(write(user), "p")
    await failure(credential.ensure())
    endpoint.status, endpoint.body = 200, None
    write({**user, "refresh_token": "new-login"})
    clock.advance(1)
    await credential.ensure()
    assert endpoint.requests[-1][1]["refresh_token"] == ["new-login"]


async def test_a_laptop_that_slept_does_not_send_an_expired_token(
    write: Write, service_account: dict[str, Any]
) -> None:
    wall = [1_000_000.0]
    credential = GoogleCredential(write(service_account), now=lambda: 5.0, wall=lambda: wall[0])
    await credential.ensure()
    wall[0] += 3600  # the monotonic clock stood still meanwhile
    assert credential.header() is None
    assert await credential.ensure() == "Bearer token-2"


async def test_the_status_tells_times_and_no_secrets(
    make: Make, write: Write, service_account: dict[str, Any], clock: Clock
) -> None:
    file = write(service_account)
    credential = make(file)
    assert credential.status() == {
        "source": None,
        "project": None,
        "valid": False,
        "expires_in_seconds": None,
        "refreshed_seconds_ago": None,
        "last_error": None,
    }
    await credential.ensure()
    clock.advance(100)
    status = credential.status()
    assert status.pop("expires_in_seconds") == pytest.approx(3490, abs=5)
    assert status == {
        "source": f"the service_account file {file}",
        "project": "file-project",
        "valid": True,
        "refreshed_seconds_ago": 100.0,
        "last_error": None,
    }
    assert credential.refreshed_at == 5000.0
    assert credential.expires_at == pytest.approx(5000 + 3590, abs=5)


async def test_closing_does_not_wait_for_a_hanging_endpoint(
    make: Make, write: Write, service_account: dict[str, Any], endpoint: TokenEndpoint
) -> None:
    endpoint.gate.clear()
    credential = make(write(service_account))
    credential.start()
    await until(lambda: endpoint.requests)
    async with asyncio.timeout(2):
        await credential.aclose()
