"""Why Google gave no token, in words that help: google-auth's exceptions as UpstreamErrors.

Law: no message holds key material, so what a server answered is quoted only in short words.
"""

from __future__ import annotations

import re

from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError

from fastproxy.errors import ErrorKind, UpstreamError

LOGIN = "run `gcloud auth application-default login`"
NO_DEFAULT = (
    f"no Google credentials were found: {LOGIN}, set providers.vertex.credentials_file to a key file, or run "
    "where there is a metadata server (Compute Engine, GKE)."
)
REMEDIES = (
    (
        # "Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat ..."
        r"\biat\b|short-lived token|reasonable timeframe",
        "Google refused {source} because this machine's clock is wrong: set the clock (enable NTP).",
    ),
    (
        r"invalid_rapt|reauth",
        f"Google wants a new login for {{source}}: {LOGIN}.",
    ),
    (
        r"invalid_grant|invalid_client|unauthorized_client|deleted_client|disabled_client|account not found",
        f"Google no longer accepts {{source}}: it was revoked, deleted or has expired. For a user {LOGIN}; "
        "for a service account set providers.vertex.credentials_file to a new key.",
    ),
)
_LONG_WORD = re.compile(r"\S{24,}")


def auth_error(message: str) -> UpstreamError:
    """The operator's credential is at fault: nobody should send the same request again."""
    return UpstreamError(
        ErrorKind.UPSTREAM_AUTH, f"Vertex AI: {message}", headers={"x-should-retry": "false"}
    )


def explain(error: Exception, source: str, status: int) -> UpstreamError:
    """The error to raise for this fault in fetching a token from `source`; `status` is the last answer's."""
    if isinstance(error, UpstreamError):
        return error
    if isinstance(error, ImportError):  # google-auth wants requests for some of its defaults
        return auth_error(
            "the default Google credentials are of a kind that must be named: set "
            "providers.vertex.credentials_file to the file that GOOGLE_APPLICATION_CREDENTIALS names."
        )
    if isinstance(error, TransportError) or any(isinstance(cause, TransportError) for cause in error.args):
        return UpstreamError(
            ErrorKind.CONNECTION_FAILED,
            f"Vertex AI: cannot reach Google for a token ({_quotable(error)}): check the network, "
            f"HTTPS_PROXY and the token_uri of {source}.",
        )
    if isinstance(error, DefaultCredentialsError):  # names a file and what is wrong with it
        return auth_error(
            f"{str(error.args[0])[:300]} Mend or unset GOOGLE_APPLICATION_CREDENTIALS, or {LOGIN}."
        )
    text = str(error).lower()
    for pattern, message in REMEDIES:
        if re.search(pattern, text):
            return auth_error(message.format(source=source))
    if not isinstance(error, GoogleAuthError) or 200 <= status < 400 or status == 429 or status >= 500:
        return UpstreamError(
            ErrorKind.BAD_RESPONSE,
            f"Vertex AI: Google's token endpoint gave no usable answer for {source}; it may work again soon.",
        )
    return auth_error(f"Google gave no token for {source} ({_quotable(error)}): check it, or {LOGIN}.")


def _quotable(error: Exception) -> str:
    """The first words of the error; longer ones could be keys or tokens."""
    text = _LONG_WORD.sub("[...]", str(error.args[0] if error.args else error))
    return " ".join(text.split())[:200]
