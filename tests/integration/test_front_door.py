"""Hard input at the door: each a clear refusal or harmless, by real sockets on a running proxy."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import zlib
from collections.abc import Iterator

import httpx
import orjson
import pytest
import zstandard

from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess

CONFIG = """
[server]
max_body_bytes = 1000000
[providers.local]
kind = "openai"
api_key = "sk-upstream-secret"
base_url = "{url}/v1"
prefix = "local-"
[auth]
keys = [{{ name = "tests", key = "sk-test", models = ["demo-*", "local-good"] }}]
"""
CHAT = "/v1/chat/completions"
BODY = b'{"model":"demo-echo","messages":[{"role":"user","content":"hi"}]}'
HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk-test\r\n"
    b"content-type: application/json\r\n"
)
LENGTH = b"content-length: %d\r\n" % len(BODY)
GET = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def door(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    with FastproxyProcess(CONFIG.format(url=mock_process.url)) as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture(scope="module")
def client(door: FastproxyProcess) -> Iterator[httpx.Client]:
    headers = {"authorization": "Bearer sk-test", "content-type": "application/json"}
    with httpx.Client(base_url=door.url, headers=headers, timeout=10, trust_env=False) as made:
        yield made


def exchange(door: FastproxyProcess, data: bytes, *, half_close: bool = False, timeout: float = 0.3) -> bytes:
    """All that comes back until the proxy closes, or has been silent for the timeout."""
    with socket.create_connection(("127.0.0.1", door.port), timeout=5) as connection:
        with contextlib.suppress(ConnectionError):  # it may have been refused before its end
            connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(timeout)
        seen = b""
        try:
            while piece := connection.recv(65_536):
                seen += piece
        except TimeoutError:
            pass
        return seen


def statuses(seen: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", seen)]


def error_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, str] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


# ---- bodies under a content coding


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("zstd", zstandard.compress(BODY)),
        ("identity", BODY),
    ],
)
def test_a_compressed_body_is_answered(client: httpx.Client, coding: str, packed: bytes) -> None:
    answer = client.post(CHAT, content=packed, headers={"content-encoding": coding})
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "hi"


@pytest.mark.parametrize(
    ("coding", "packed", "status"),
    [
        ("gzip", gzip.compress(bytes(50_000_000)), 413),
        ("zstd", zstandard.compress(bytes(500_000_000)), 413),
        ("gzip", BODY, 400),
        ("zstd", zstandard.compress(BODY)[:-3], 400),
        ("br", BODY, 415),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY, mtime=0)), 415),
    ],
)
def test_bombs_and_other_codings_are_refused(
    client: httpx.Client, coding: str, packed: bytes, status: int
) -> None:
    answer = client.post(CHAT, content=packed, headers={"content-encoding": coding})
    assert answer.status_code == status
    error_of(answer)


def test_nothing_is_inflated_for_a_stranger(client: httpx.Client) -> None:
    answer = client.post(
        CHAT, content=b"x", headers={"content-encoding": "gzip", "authorization": "Bearer no"}
    )
    assert answer.status_code == 401


# ---- bodies


def body_with(**fields: object) -> bytes:
    return orjson.dumps({"model": "demo-echo", "messages": [{"role": "user", "content": "hi"}], **fields})


def nested(depth: int) -> bytes:
    return BODY[:-1] + b',"metadata":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b"null", None),
        (b"\xef\xbb\xbf" + BODY, None),
        (BODY + BODY, None),
        (BODY.replace(b"hi", b"\xff\xfe"), None),
        (BODY.replace(b"hi", b"\\ud800"), None),
        (BODY.replace(b"hi", b"\x00"), None),
        (BODY.replace(b'"hi"', b"NaN"), None),
        (BODY.replace(b'"hi"', b"-Infinity"), None),
        (BODY.replace(b'"hi"', b"1e999"), None),
        (nested(300), None),
        (nested(100_000), None),
        (BODY.replace(b'"demo-echo"', b"7"), "model"),
        (BODY.replace(b"demo-echo", b""), "model"),
        (BODY.replace(b"demo-echo", b"a" * 300), "model"),
        (BODY.replace(b"demo-echo", b"local-\\r\\nset-cookie: a=b"), "model"),
        (BODY.replace(b"demo-echo", b"local-\\u0000"), "model"),
        (b'{"messages":[{"role":"user","content":"hi"}]}', "model"),
        (b'{"model":"demo-echo"}', "messages"),
        (body_with(messages=[]), "messages"),
        (body_with(messages=None), "messages"),
        (body_with(messages="hi"), "messages"),
        (body_with(messages={"role": "user"}), "messages"),
        (body_with(messages=["hi"]), "messages[0]"),
        (body_with(messages=[{"content": "hi"}]), "messages[0].role"),
        (body_with(messages=[{"role": ["user"], "content": "hi"}]), "messages[0].role"),
        (body_with(messages=[{"role": "user", "content": 1}]), "messages[0].content"),
        (body_with(messages=[{"role": "user", "content": [1]}]), "messages[0].content[0]"),
        (body_with(messages=[{"role": "user", "content": [{"type": "x"}]}]), "messages[0].content[0].type"),
        (body_with(temperature="hot"), "temperature"),
        (body_with(max_tokens=1.5), "max_tokens"),
        (body_with(n=True), "n"),
        (body_with(stream="yes"), "stream"),
        (body_with(stream_options=1), "stream_options"),
        (body_with(tools={}), "tools"),
        (body_with(tools=[1]), "tools[0]"),
        (body_with(stop=[1]), "stop[0]"),
        (body_with(response_format={"type": "xml"}), "response_format.type"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_wrong_body_is_a_400_that_names_the_field(
    client: httpx.Client, body: bytes, param: str | None
) -> None:
    answer = client.post(CHAT, content=body)
    assert answer.status_code == 400, answer.text
    assert error_of(answer)["param"] == param


@pytest.mark.parametrize("model", ["demo-echo", "local-good"])
def test_a_body_as_deep_as_json_may_be_is_no_failure_of_ours(client: httpx.Client, model: str) -> None:
    for depth in (200, 250, 260, 500, 1_000):
        answer = client.post(CHAT, content=nested(depth).replace(b"demo-echo", model.encode()))
        assert answer.status_code in (200, 400), (depth, answer.text)


def test_a_model_given_twice_is_the_last_one_for_the_key_and_for_the_provider(
    client: httpx.Client, mock: MockUpstream
) -> None:
    """Readings cannot differ: the provider gets our own encoding of what the key was checked against."""
    twice = b'{"model":"%b",%b' % (b"local-forbidden", BODY[1:].replace(b"demo-echo", b"local-good"))
    assert client.post(CHAT, content=twice).status_code == 200
    (sent,) = mock.requests()
    assert sent.body.count(b'"model"') == 1
    assert sent.json()["model"] == "good"
    refused = b'{"model":"%b",%b' % (b"local-good", BODY[1:].replace(b"demo-echo", b"local-forbidden"))
    assert client.post(CHAT, content=refused).status_code == 403
    assert len(mock.requests()) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_be_as_large_as_the_limit_and_no_larger(client: httpx.Client, chunked: bool) -> None:
    for size, status in ((1_000_000, 200), (1_000_001, 413), (3_000_000, 413)):
        body = BODY[:-1] + b" " * (size - len(BODY)) + b"}"
        answer = client.post(CHAT, content=iter([body]) if chunked else body)
        assert answer.status_code == status
    error_of(answer)


# ---- methods, types, paths, headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "NONSENSE"])
def test_a_wrong_method_is_told_the_right_ones(client: httpx.Client, method: str) -> None:
    answer = client.request(method, CHAT)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "OPTIONS, POST"
    error_of(answer)


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "a" * 20_000]
)
def test_a_wrong_content_type_is_a_415(client: httpx.Client, kind: str) -> None:
    answer = client.post(CHAT, content=BODY, headers={"content-type": kind})
    assert answer.status_code == 415
    assert len(error_of(answer)["message"]) < 300


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/models/%ff%fe HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-test", 404),
        (b"GET /v1/models/a%00b HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-test", 404),
        (b"GET /v1/models/a%0d%0ax:y HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-test", 404),
        (b"GET /v1/../../etc/passwd HTTP/1.1\r\nhost: a", 404),
        (b"GET /v1/models?a=%ff HTTP/1.1\r\nhost: a\r\nauthorization: Bearer sk-test", 200),
        (b"GET /v1/models HTTP/1.1\r\nhost: a\r\nauthorization: Bearer \xff\xfe", 401),
        (b"GET /v1/models HTTP/1.1\r\nhost: [::1\r\nauthorization: Bearer sk-test", 200),
        (b"GET /v1/models/\xff HTTP/1.1\r\nhost: a", 400),
        (b"GET /v1/models/a\x00b HTTP/1.1\r\nhost: a", 400),
        (b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-a: b\x00c", 400),
        (b"GET /health/live HTTP/1.1\r\nhost: a\r\norigin: \xff\xfe\r\nx-request-id: \xff", 200),
        (b"GET /health/live HTTP/1.1\r\nhost: a" + b"".join(b"\r\nx-%d: y" % i for i in range(101)), 431),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\nhost: a", 414),
        (b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-a: " + b"y" * 4_000_000, 431),
        (b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-request-id: " + b"a" * 50_000, 200),
        (b"GET /health/live HTTP/1.1", 200),
        (b"GET /health/live HTTP/1.2\r\nhost: a", 400),
        (b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443", 404),
        (b"OPTIONS * HTTP/1.1\r\nhost: a", 404),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_odd_heads_are_answered_once_and_clearly(door: FastproxyProcess, head: bytes, status: int) -> None:
    assert statuses(exchange(door, head + b"\r\n\r\n")) == [status]


def test_http_1_0_is_answered_and_closed(door: FastproxyProcess) -> None:
    seen = exchange(door, b"GET /health/live HTTP/1.0\r\n\r\n", timeout=5)
    assert seen.startswith(b"HTTP/1.0 200 OK")
    assert seen.endswith(b'{"status":"ok"}')


def test_http_2_without_asking_is_closed_at_once(door: FastproxyProcess) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    assert statuses(exchange(door, preface, timeout=5)) in ([], [400])


def test_a_client_that_expects_100_continue_gets_it(door: FastproxyProcess) -> None:
    seen = exchange(door, HEAD + LENGTH + b"expect: 100-continue\r\n\r\n" + BODY)
    assert statuses(seen) == [100, 200]


def test_a_client_that_announces_too_much_is_not_asked_to_send_it(door: FastproxyProcess) -> None:
    seen = exchange(door, HEAD + b"content-length: 99999999\r\nexpect: 100-continue\r\n\r\n", timeout=5)
    assert statuses(seen) == [413]


def test_pipelined_requests_are_answered_in_order(door: FastproxyProcess) -> None:
    seen = exchange(door, GET + HEAD + LENGTH + b"\r\n" + BODY + GET.replace(b"live", b"nope"))
    assert statuses(seen) == [200, 200, 404]


def test_a_client_that_leaves_in_the_body_is_forgotten(door: FastproxyProcess, client: httpx.Client) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", door.port)) as connection:
            connection.sendall(HEAD + b"content-length: 1000\r\n\r\n{")
    assert statuses(exchange(door, HEAD + b"content-length: 1000\r\n\r\n{", half_close=True, timeout=5)) in (
        [],
        [400],
    )
    assert client.get("/health").json()["in_flight"] == 0


# ---- requests that can be read two ways

SMUGGLED = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n"


def chunks(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + LENGTH + CHUNKED + chunks(BODY) + SMUGGLED,
        HEAD + b"content-length: 4\r\n" + CHUNKED + chunks(BODY) + SMUGGLED,
        HEAD + b"content-length: %d\r\n" % len(BODY + SMUGGLED) + CHUNKED + b"0\r\n\r\n" + SMUGGLED,
        HEAD + LENGTH + b"content-length: 3\r\n\r\n" + BODY + SMUGGLED,
        HEAD + b"content-length: %d, 3\r\n\r\n" % len(BODY) + BODY + SMUGGLED,
        HEAD + b"content-length: +%d\r\n\r\n" % len(BODY) + BODY + SMUGGLED,
        HEAD + b"content-length: -1\r\n\r\n" + BODY + SMUGGLED,
        HEAD + b"content-length: 18446744073709551616\r\n\r\n" + BODY + SMUGGLED,
        HEAD + b"content-length: 99999999999999999999999\r\n\r\n" + BODY + SMUGGLED,
        HEAD + b"content-length:\r\n %d\r\n\r\n" % len(BODY) + BODY + SMUGGLED,
        HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n" + chunks(BODY) + SMUGGLED,
        HEAD + b"transfer-encoding : chunked\r\n\r\n" + chunks(BODY) + SMUGGLED,
        HEAD + b"transfer-encoding: \x0bchunked\r\n\r\n" + chunks(BODY) + SMUGGLED,
        HEAD + b"transfer-encoding: xchunked\r\n\r\n" + chunks(BODY) + SMUGGLED,
        HEAD + b"transfer-encoding: xchunked\r\n" + LENGTH + b"\r\n" + BODY + SMUGGLED,
        HEAD + b"transfer-encoding: chunked, identity\r\n\r\n" + chunks(BODY) + SMUGGLED,
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + chunks(BODY),
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + chunks(BODY),
        HEAD + CHUNKED + b"zz\r\n" + BODY + SMUGGLED,
        HEAD + CHUNKED + b"-5\r\n" + BODY + SMUGGLED,
        HEAD + CHUNKED + b"0x%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY) + SMUGGLED,
        HEAD + CHUNKED + b"fffffffffffffffff\r\n" + BODY + SMUGGLED,
        HEAD + CHUNKED + b"%x\n%b\n0\n\n" % (len(BODY), BODY) + SMUGGLED,
        HEAD + CHUNKED + b"%x\r\n%b0\r\n\r\n" % (len(BODY), BODY) + SMUGGLED,
        HEAD + b"x-a: b\r\n c\r\n" + LENGTH + b"\r\n" + BODY + SMUGGLED,
        HEAD + b"x-a: b\rcontent-length: 3\r\n" + LENGTH + b"\r\n" + BODY + SMUGGLED,
        HEAD + b"host: elsewhere\r\n" + LENGTH + b"\r\n" + BODY,
        HEAD + b"authorization: Bearer other\r\n" + LENGTH + b"\r\n" + BODY,
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0") + CHUNKED + chunks(BODY) + SMUGGLED,
        HEAD + b"\r\n" + BODY + b"\r\n" + SMUGGLED,
    ],
    ids=lambda value: repr(value.removeprefix(HEAD))[:70],
)
def test_a_request_that_can_be_read_two_ways_is_answered_once_at_most(
    door: FastproxyProcess, request_: bytes
) -> None:
    """One answer, good or bad, then the connection ends: what follows was never a request of its own."""
    answered = statuses(exchange(door, request_, timeout=0.7))
    assert len(answered) <= 1 or set(answered) == {400}
    assert set(answered) <= {200, 400, 413, 431}


def test_a_line_feed_alone_ends_a_line_and_nothing_more(door: FastproxyProcess) -> None:
    """RFC 9112 §2.2 allows it; the request is one request in every reading."""
    seen = exchange(door, (HEAD + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY + GET)
    assert statuses(seen) == [200, 200]


# ---- CORS


@pytest.mark.parametrize("origin", ["vscode-file://vscode-app", "http://localhost:3000", "app://obsidian.md"])
def test_a_preflight_allows_what_sdks_send(client: httpx.Client, origin: str) -> None:
    asked = "authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-retry-count"
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    answer = httpx.options(str(client.base_url.join(CHAT)), headers=headers)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-headers"] == asked
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


def test_answers_and_errors_can_be_read_by_the_page(client: httpx.Client) -> None:
    for path in (CHAT, "/v1/nowhere"):
        answer = client.post(path, content=BODY, headers={"origin": "vscode-file://vscode-app"})
        assert answer.headers["access-control-allow-origin"] == "vscode-file://vscode-app"
        assert answer.headers["vary"] == "origin"


# ---- what travels on, and what does not

NOISE = {
    "connection": "x-hop",
    "x-hop": "1",
    "cookie": "session=secret",
    "forwarded": "for=192.0.2.1",
    "host": "attacker.example",
    "keep-alive": "timeout=5",
    "proxy-authorization": "Basic c2VjcmV0",
    "te": "trailers",
    "user-agent": "a-client/1",
    "x-api-key": "sk-other",
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-host": "attacker.example",
    "x-stainless-lang": "python",
}


@pytest.mark.parametrize("stream", [False, True])
def test_the_provider_sees_our_headers_and_none_of_the_client(
    client: httpx.Client, mock: MockUpstream, stream: bool
) -> None:
    body = body_with(model="local-good", stream=stream)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {**NOISE, "traceparent": trace, "x-request-id": "mine-1"}
    assert client.post(CHAT, content=body, headers=headers).status_code == 200
    (sent,) = mock.requests()
    sent_headers = dict(sent.headers)
    sent_headers.pop("content-length")
    assert sent_headers.pop("traceparent").split("-")[1] == trace.split("-")[1]
    assert sent_headers.pop("user-agent").startswith("fastproxy/")
    sent_headers.pop("accept", None)
    assert sent_headers == {
        "authorization": "Bearer sk-upstream-secret",
        "content-type": "application/json",
        "host": mock.url.removeprefix("http://"),
        "x-request-id": "mine-1",
    }
    assert len(sent.headers) == len(dict(sent.headers))


UPSTREAM_HEADERS = {
    "alt-svc": 'h3=":443"',
    "content-encoding": "identity",
    "openai-organization": "org-secret",
    "server": "cloudflare",
    "set-cookie": "__cf_bm=secret",
    "strict-transport-security": "max-age=1",
    "trailer": "x-a",
    "via": "1.1 google",
    "www-authenticate": "Bearer",
    "x-powered-by": "secret",
    "x-ratelimit-remaining-requests": "1",
    "anthropic-ratelimit-requests-limit": "1",
    "cf-ray": "1",
}
OURS = {
    "cache-control",
    "content-length",
    "content-type",
    "date",
    "retry-after",
    "server",
    "server-timing",
    "transfer-encoding",
    "x-accel-buffering",
    "x-request-id",
    "x-should-retry",
}


@pytest.mark.parametrize("status", [200, 400, 429])
@pytest.mark.parametrize("stream", [False, True])
def test_the_client_sees_our_headers_and_none_of_the_provider(
    client: httpx.Client, mock: MockUpstream, status: int, stream: bool
) -> None:
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "good"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    message = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    whole = {**chunk, "object": "chat.completion", "choices": [message]}
    event = b"data: " + orjson.dumps({**chunk, "choices": [delta]}) + b"\n\ndata: [DONE]\n\n"
    kind = "text/event-stream" if stream and status == 200 else "application/json"
    good = event if stream else orjson.dumps(whole)
    body = (good if status == 200 else b'{"error":{"message":"no","type":"x"}}').decode()
    mock.script({"status": status, "headers": {**UPSTREAM_HEADERS, "content-type": kind}, "body": body})
    answer = client.post(CHAT, content=body_with(model="local-good", stream=stream))
    assert answer.status_code == status
    seen = {name for name in answer.headers if not name.startswith("x-fastproxy-")}
    assert seen <= OURS
    assert answer.headers["server"] == "fastproxy"
    assert "secret" not in str(answer.headers)
