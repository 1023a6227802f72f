"""What is remembered for a caller: given back to that caller alone, and never at a request's cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fastproxy import continuity
from fastproxy.continuity import Continuity, Store, open_store
from fastproxy.continuity.memory import MemoryStore
from fastproxy.types import Caller, ChatRequest, Json
from fastproxy.wire.events import Carry

ALICE = Caller("alice", "scope-a")
BOB = Caller("bob", "scope-b")
SIGNATURE = Carry("gemini.signature", "call_1", "c2lnbmF0dXJl")
THINKING = Carry("anthropic.thinking", "call_1", {"type": "thinking", "thinking": "hm", "signature": "s"})


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class BrokenStore:
    """A store that fails at every call, and counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.broken = True

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._fail()
        return [None for _ in keys]

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        self._fail()

    async def aclose(self) -> None:
        self._fail()

    def _fail(self) -> None:
        self.calls += 1
        if self.broken:
            raise ConnectionError("the store is away")


class SpyStore(BrokenStore):
    """Remembers what it was given, byte for byte."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.items: list[tuple[bytes, bytes]] = []
        self.keys: list[bytes] = []

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.keys += keys
        return await super().get_many(keys)

    async def put_many(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        self.items += items


def conversation(*call_ids: Any, **fields: Any) -> ChatRequest:
    calls = [{"id": i, "type": "function", "function": {"name": "f", "arguments": "{}"}} for i in call_ids]
    messages: tuple[Json, ...] = (
        {"role": "user", "content": "a secret prompt"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call_id, "content": "ok"} for call_id in call_ids),
    )
    return ChatRequest("gemini-2.5-pro", messages, **fields)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store(
        {"memory": "memory://", "sqlite": f"sqlite://{tmp_path}/carry.db"}[request.param], ttl_seconds=60
    )


async def test_what_was_kept_comes_back_with_the_next_request(store: Store) -> None:
    memory = Continuity(store)
    await memory.keep(ALICE, [SIGNATURE, THINKING])
    restored = await memory.restore(conversation("call_1", "call_2"), ALICE)
    assert restored.recalled == {
        ("gemini.signature", "call_1"): SIGNATURE.value,
        ("anthropic.thinking", "call_1"): THINKING.value,
    }
    assert restored.messages == conversation("call_1", "call_2").messages
    await memory.aclose()


async def test_another_caller_does_not_get_it(store: Store) -> None:
    memory = Continuity(store)
    await memory.keep(ALICE, [SIGNATURE])
    request = conversation("call_1")
    assert await memory.restore(request, BOB) is request
    await memory.aclose()


async def test_a_value_kept_again_is_replaced(store: Store) -> None:
    memory = Continuity(store)
    await memory.keep(ALICE, [SIGNATURE])
    await memory.keep(ALICE, [Carry("gemini.signature", "call_1", "new")])
    restored = await memory.restore(conversation("call_1"), ALICE)
    assert restored.recalled == {("gemini.signature", "call_1"): "new"}
    await memory.aclose()


async def test_what_was_recalled_before_stays() -> None:
    memory = Continuity(MemoryStore(60))
    await memory.keep(ALICE, [SIGNATURE])
    request = conversation("call_1", recalled={("deepseek.reasoning", "call_0"): "hm"})
    restored = await memory.restore(request, ALICE)
    assert set(restored.recalled) == {("deepseek.reasoning", "call_0"), ("gemini.signature", "call_1")}
    assert set(request.recalled) == {("deepseek.reasoning", "call_0")}


@pytest.mark.parametrize(
    "messages",
    [
        (),
        ({"role": "user", "content": "hello"},),
        ({"role": "assistant", "content": "hi", "tool_calls": []},),
        ({"role": "assistant", "content": "hi", "tool_calls": None},),
    ],
)
async def test_without_tool_calls_the_store_is_not_asked(messages: tuple[Json, ...]) -> None:
    store = BrokenStore()
    memory = Continuity(store)
    request = ChatRequest("m", messages)
    assert not memory.needs_restore(request)
    assert await memory.restore(request, ALICE) is request
    assert store.calls == 0


@pytest.mark.parametrize("calls", [["no object"], [{"function": {}}], [{"id": 7}], [None], [{"id": ["x"]}]])
async def test_tool_calls_without_a_usable_id_are_passed_over(calls: list[Any]) -> None:
    store = BrokenStore()
    request = ChatRequest("m", ({"role": "assistant", "content": None, "tool_calls": calls},))
    assert await Continuity(store).restore(request, ALICE) is request
    assert store.calls == 0


async def test_an_endless_conversation_asks_for_its_latest_calls_only() -> None:
    store = SpyStore()
    ids = [f"call_{number}" for number in range(continuity.MAX_TOOL_CALLS + 10)]
    await Continuity(store).restore(conversation(*ids), ALICE)
    assert len(store.keys) == continuity.MAX_TOOL_CALLS * len(continuity.KINDS)
    latest = SpyStore()
    await Continuity(latest).restore(conversation(ids[-1]), ALICE)
    assert set(latest.keys) <= set(store.keys)


async def test_a_store_holds_digests_and_values_and_nothing_else() -> None:
    store = SpyStore()
    await Continuity(store).keep(ALICE, [SIGNATURE])
    [(key, value)] = store.items
    assert len(key) == 32
    assert value == b'"c2lnbmF0dXJl"'


async def test_ids_that_no_utf8_can_hold_are_keys_like_others() -> None:
    memory = Continuity(MemoryStore(60))
    await memory.keep(ALICE, [Carry("gemini.signature", "call_\ud800", "x")])
    assert (await memory.restore(conversation("call_\ud800"), ALICE)).recalled


async def test_a_value_over_the_bound_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    memory = Continuity(store := SpyStore())
    too_large = "x" * continuity.MAX_VALUE_BYTES
    await memory.keep(ALICE, [Carry("deepseek.reasoning", "call_1", too_large), SIGNATURE])
    assert len(store.items) == 1
    assert memory.skipped == 1
    assert "too large" in caplog.text


async def test_a_value_that_is_no_json_is_not_kept() -> None:
    memory = Continuity(store := SpyStore())
    await memory.keep(ALICE, [Carry("deepseek.reasoning", "call_1", object())])
    assert (store.items, memory.skipped) == ([], 1)


async def test_a_failing_store_is_logged_and_not_noticed_by_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory = Continuity(BrokenStore())
    request = conversation("call_1")
    await memory.keep(ALICE, [SIGNATURE])
    assert await memory.restore(request, ALICE) is request
    await memory.aclose()
    assert memory.failures == 3
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("fastproxy.continuity", "WARNING")
    ] * 3
    assert "the store is away" in caplog.text


async def test_a_store_that_answers_garbage_is_not_noticed_by_the_request() -> None:
    class Garbage(SpyStore):
        async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
            return [b"{no json" for _ in keys]

    memory = Continuity(Garbage())
    request = conversation("call_1")
    assert await memory.restore(request, ALICE) is request
    assert memory.failures == 1


async def test_a_store_that_keeps_failing_gets_a_rest_and_is_asked_again_later() -> None:
    clock = Clock()
    memory = Continuity(store := BrokenStore(), now=clock)
    for _ in range(10):
        await memory.keep(ALICE, [SIGNATURE])
    assert store.calls == continuity.FAILURES_UNTIL_PAUSE
    clock.seconds += continuity.PAUSE_SECONDS
    await memory.keep(ALICE, [SIGNATURE])
    await memory.keep(ALICE, [SIGNATURE])
    assert store.calls == continuity.FAILURES_UNTIL_PAUSE + 1
    clock.seconds += continuity.PAUSE_SECONDS
    store.broken = False
    for _ in range(5):
        await memory.keep(ALICE, [SIGNATURE])
    assert store.calls == continuity.FAILURES_UNTIL_PAUSE + 6


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("", "memory://"),
        ("memory", "memory://"),
        ("postgres://user:hunter2@host/db", "redis://"),
        ("sqlite://", "absolute path"),
        ("sqlite:///", "absolute path"),
        ("sqlite://relative.db", "absolute path"),
        ("sqlite:///x.db?mode=ro", "absolute path"),
        ("sqlite:///no/such/directory/x.db", "directory must exist"),
        ("redis://user:hunter2@host:port/db", "no valid Redis URL"),
    ],
)
def test_a_bad_url_says_what_to_write_and_tells_no_password(url: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint) as caught:
        open_store(url, 60)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("ttl_seconds", [0, -1, float("nan")])
def test_a_time_to_live_must_be_positive(ttl_seconds: float) -> None:
    with pytest.raises(ValueError, match="ttl_seconds"):
        open_store("memory://", ttl_seconds)
