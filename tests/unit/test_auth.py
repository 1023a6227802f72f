"""Who is calling."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from fastproxy import auth
from fastproxy.auth import ANYBODY, TUNNEL_HEADERS, Authenticator, may_use
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Caller


@dataclass(frozen=True)
class Key:
    name: str
    text: str
    models: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


KEYED = Authenticator([Key("cursor", "sk-one"), Key("ci", "sk-two", ("gemini-*",)), Key("last", "sk-three")])
OPEN = Authenticator([])


def refusal(authenticator: Authenticator, headers: Mapping[str, str], address: str = "127.0.0.1") -> str:
    with pytest.raises(ProxyError) as caught:
        authenticator.identify(headers, address)
    assert caught.value.kind is ErrorKind.INVALID_API_KEY
    return caught.value.message


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-two"},
        {"authorization": "bearer   sk-two "},
        {"x-api-key": "sk-two"},
        {"api-key": "sk-two"},
        {"authorization": "Basic dTpw", "x-api-key": "sk-two"},
        {"authorization": "Bearer ", "api-key": "sk-two"},
    ],
)
def test_a_key_may_stand_in_any_of_the_clients_headers(headers: dict[str, str]) -> None:
    caller = KEYED.identify(headers, "203.0.113.9")
    assert (caller.name, caller.models) == ("ci", ("gemini-*",))


def test_a_scope_is_a_digest_and_not_the_key() -> None:
    one = KEYED.identify({"x-api-key": "sk-one"}, "")
    two = KEYED.identify({"x-api-key": "sk-two"}, "")
    assert one.scope != two.scope
    assert "sk-one" not in one.scope


@pytest.mark.parametrize("key", ["sk-on", "sk-one1", "SK-ONE", "é", "x" * 10_000])
def test_a_wrong_key_is_refused_and_not_repeated(key: str) -> None:
    message = refusal(KEYED, {"authorization": f"Bearer {key}"})
    assert "Incorrect API key" in message
    assert key not in message


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer"}, {"authorization": "sk-one"}, {"x-api-key": " "}]
)
def test_no_key_is_told_from_a_wrong_one(headers: dict[str, str]) -> None:
    assert "No API key was sent" in refusal(KEYED, headers)


def test_where_keys_are_set_a_local_program_needs_one_too() -> None:
    refusal(KEYED, {"host": "localhost:4000"}, "127.0.0.1")


def test_a_key_outside_of_ascii_works_as_its_utf8_bytes() -> None:
    authenticator = Authenticator([Key("x", "schlüssel")])
    on_the_wire = "schlüssel".encode().decode("latin-1")
    assert authenticator.identify({"authorization": f"Bearer {on_the_wire}"}, "").name == "x"


@pytest.mark.parametrize("key", ["sk-one", "sk-three", "wrong"])
def test_all_keys_are_compared_in_constant_time_whichever_fits(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append(a)
        return compare_digest(a, b)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr(auth.hmac, "compare_digest", compare)
    if key == "wrong":
        refusal(KEYED, {"x-api-key": key})
    else:
        KEYED.identify({"x-api-key": key}, "")
    assert len(compared) == 3


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", ""])
@pytest.mark.parametrize(
    "host", ["localhost:4000", "127.0.0.1:4000", "[::1]:4000", "app.localhost", "host.docker.internal:4000"]
)
def test_without_keys_local_programs_are_served(address: str, host: str) -> None:
    assert OPEN.identify({"host": host}, address) is ANYBODY


def test_without_keys_any_key_will_do() -> None:
    assert OPEN.identify({"host": "localhost", "authorization": "Bearer whatever"}, "127.0.0.1") is ANYBODY


@pytest.mark.parametrize("header", sorted(TUNNEL_HEADERS))
def test_without_keys_a_sign_of_a_tunnel_is_refused(header: str) -> None:
    message = refusal(OPEN, {"host": "localhost", header: "x"})
    assert f"`{header}`" in message
    assert "auth.keys" in message


@pytest.mark.parametrize("header", sorted(TUNNEL_HEADERS))
def test_with_a_key_a_tunnel_may_be_used(header: str) -> None:
    assert KEYED.identify({header: "x", "x-api-key": "sk-one"}, "127.0.0.1").name == "cursor"


@pytest.mark.parametrize(
    "address", ["192.168.1.7", "10.0.0.1", "2001:db8::1", "::ffff:192.168.1.7", "garbage"]
)
def test_without_keys_another_machine_is_refused(address: str) -> None:
    assert address in refusal(OPEN, {"host": "localhost"}, address)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "192.168.1.7:4000", "[::1", "[", "a]b["],
)
def test_without_keys_a_foreign_or_broken_host_is_refused(host: str) -> None:
    assert "was sent to the name" in refusal(OPEN, {"host": host})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost.evil.example", "null", "http://[::1", "x", "http://"]
)
def test_without_keys_a_web_page_of_a_foreign_site_is_refused(origin: str) -> None:
    assert "a web page of" in refusal(OPEN, {"host": "localhost", "origin": origin})


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "http://localhost:3000",
        "http://127.0.0.1",
        "http://[::1]:5173",
        "vscode-file://vscode-app",
        "app://.",
    ],
)
def test_without_keys_local_pages_and_editors_are_served(origin: str) -> None:
    assert OPEN.identify({"host": "localhost", "origin": origin}, "127.0.0.1") is ANYBODY


def test_an_insecure_proxy_serves_everybody() -> None:
    headers = {"host": "evil.example", "x-forwarded-for": "203.0.113.9", "origin": "https://evil.example"}
    assert Authenticator([], insecure=True).identify(headers, "203.0.113.9") is ANYBODY


@pytest.mark.parametrize(
    ("patterns", "model", "allowed"),
    [
        ((), "anything", True),
        (("gemini-*",), "gemini-2.5-pro", True),
        (("gemini-*",), "Gemini-2.5-pro", False),
        (("gemini-*",), "claude-opus", False),
        (("a", "b"), "b", True),
        (("a",), "ab", False),
    ],
)
def test_patterns_say_which_models_a_caller_may_use(
    patterns: tuple[str, ...], model: str, allowed: bool
) -> None:
    assert may_use(Caller("x", "y", patterns), model) is allowed


def test_a_repr_shows_no_key() -> None:
    assert repr(KEYED) == "<Authenticator keys=3 insecure=False>"
