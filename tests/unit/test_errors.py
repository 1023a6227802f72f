"""The table of errors."""

from __future__ import annotations

import pytest

from fastproxy.errors import ErrorKind, ProxyError, Repair, UpstreamError, kind_of_upstream_status

TYPES = {
    400: {"invalid_request_error"},
    401: {"authentication_error"},
    403: {"permission_error"},
    404: {"invalid_request_error"},
    405: {"invalid_request_error"},
    408: {"invalid_request_error"},
    413: {"invalid_request_error"},
    415: {"invalid_request_error"},
    429: {"rate_limit_error"},
    500: {"server_error"},
    502: {"upstream_error"},
    503: {"overloaded_error"},
    504: {"timeout_error"},
}


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_a_legal_row(kind: ErrorKind) -> None:
    row = kind.value
    assert row.type in TYPES[row.status]
    assert row.code
    assert row.code == row.code.lower()
    assert not (row.retryable and row.status in (400, 401, 403, 404, 405, 413, 415))


def test_no_two_kinds_have_the_same_code() -> None:
    codes = [kind.value.code for kind in ErrorKind]
    assert len(codes) == len(set(codes)) == len(list(ErrorKind))


def test_the_body_is_openais_envelope() -> None:
    error = ProxyError(ErrorKind.INVALID_REQUEST, "`n` must be a number.", param="n")
    assert error.body() == {
        "error": {
            "message": "`n` must be a number.",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_request",
        }
    }


def test_a_code_of_its_own_replaces_the_rows_and_nothing_else() -> None:
    error = ProxyError(ErrorKind.INVALID_REQUEST, "…", code="bad_image", retry_after=3, headers={"a": "b"})
    assert (error.status, error.type, error.code) == (400, "invalid_request_error", "bad_image")
    assert (error.retry_after, error.headers) == (3, {"a": "b"})


def test_an_upstream_error_keeps_what_the_provider_said() -> None:
    error = UpstreamError(
        ErrorKind.BAD_RESPONSE, "…", upstream_status=500, retryable=False, repair=Repair("x")
    )
    assert (error.upstream_status, error.retryable, error.repair) == (500, False, Repair("x"))
    assert UpstreamError(ErrorKind.BAD_RESPONSE, "…").retryable


def test_its_repr_is_bounded() -> None:
    assert repr(ProxyError(ErrorKind.NOT_FOUND, "x" * 10_000)) == f"<ProxyError 404 not_found: {'x' * 120}>"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.INVALID_REQUEST),
        (401, ErrorKind.UPSTREAM_AUTH),
        (402, ErrorKind.INSUFFICIENT_QUOTA),
        (403, ErrorKind.UPSTREAM_AUTH),
        (404, ErrorKind.MODEL_NOT_FOUND),
        (418, ErrorKind.INVALID_REQUEST),
        (422, ErrorKind.INVALID_REQUEST),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.BAD_RESPONSE),
        (502, ErrorKind.BAD_RESPONSE),
        (503, ErrorKind.OVERLOADED),
        (529, ErrorKind.OVERLOADED),
        (302, ErrorKind.BAD_RESPONSE),
    ],
)
def test_an_upstream_status_has_a_kind(status: int, kind: ErrorKind) -> None:
    assert kind_of_upstream_status(status) is kind
