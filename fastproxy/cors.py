"""What browsers and editors' web views ask before they call us, and what they may read of the answers.

Any origin may ask, and nothing is granted by it: no credentials mode, so a page needs a key of its own; and
without keys `auth.py` refuses the pages of foreign sites.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastproxy.types import Headers

_METHODS = "GET, HEAD, POST, OPTIONS"
_USUAL_HEADERS = "authorization, content-type"
_CACHED_SECONDS = "86400"


def preflight_headers(headers: Mapping[str, str]) -> Headers:
    """The answer to OPTIONS: every header that is asked for is allowed (SDKs send a dozen x-stainless-*)."""
    return (
        ("access-control-allow-methods", _METHODS),
        ("access-control-allow-headers", headers.get("access-control-request-headers", _USUAL_HEADERS)),
        ("access-control-max-age", _CACHED_SECONDS),
        ("allow", _METHODS),
    )


def answer_headers(origin: str) -> list[tuple[bytes, bytes]]:
    """What lets the page of this origin read an answer."""
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"vary", b"origin"),
        (b"access-control-expose-headers", b"*"),
    ]
