"""The passthrough: bytes untouched where they are right, put right where clients would trip over them."""

from __future__ import annotations

import itertools
import json  # noqa: TID251  (the spacing of other servers' JSON)
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Carry
from fastproxy.wire.openai.passthrough import ChatPassthrough

GOLDEN = Path(__file__).parents[3] / "golden"
DONE = b"data: [DONE]\n\n"
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def request(model: str = "m", *, usage: bool = False, tools: bool = False, **fields: Any) -> ChatRequest:
    messages = fields.pop("messages", ({"role": "user", "content": "hi"},))
    return ChatRequest(
        model, messages, stream=True, include_usage=usage, tools=(TOOL,) if tools else (), **fields
    )


def chunk(delta: Json | None = None, finish: str | None = None, **fields: Any) -> Json:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 5, "model": "up"}
    choice = {"index": 0, "delta": {} if delta is None else delta, "finish_reason": finish}
    return {**head, "choices": [choice], **fields}


def compact(value: Any) -> bytes:
    return orjson.dumps(value)


def spaced(value: Any) -> bytes:
    return json.dumps(value).encode()


def sse(*events: Json | bytes, dump: Any = compact) -> bytes:
    return b"".join(
        event if isinstance(event, bytes) else b"data: " + dump(event) + b"\n\n" for event in events
    )


def run(stream: ChatPassthrough, *pieces: bytes) -> bytes:
    return b"".join([*map(stream.feed, pieces), stream.end()])


def parsed(data: bytes) -> list[Json]:
    blocks = [block.removeprefix(b"data: ") for block in data.split(b"\n\n")[:-1]]
    return [orjson.loads(block) for block in blocks if block != b"[DONE]"]


ROLE = chunk({"role": "assistant", "content": ""})
HI = chunk({"content": "Hi"})
STOP = chunk({}, "stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def test_what_is_right_goes_through_as_the_very_same_object() -> None:
    stream = ChatPassthrough(request("up"))
    for event in (
        ROLE,
        HI,
        chunk({"content": 'say \\"usage\\":{ "finish_reason":"x"'}),
        chunk({"content": "b"}),
    ):
        data = sse(event)
        assert stream.feed(data) is data
    many = sse(HI, HI, HI)
    assert stream.feed(many) is many


@pytest.mark.parametrize("dump", [compact, spaced])
def test_every_chunk_bears_the_name_that_was_asked_for_and_is_else_the_same(dump: Any) -> None:
    later = sse(HI, chunk({"content": '"model":"up"'}), dump=dump)
    stream = ChatPassthrough(request("mine"))
    first = stream.feed(sse(ROLE, HI, dump=dump))
    assert [c["model"] for c in parsed(first)] == ["mine", "mine"]
    space = b" " if dump is spaced else b""
    was, is_ = b'"model":' + space + b'"up"', b'"model":' + space + b'"mine"'
    assert stream.feed(later) == later.replace(was, is_)


def test_a_role_alone_is_no_content_and_anything_said_is() -> None:
    for delta in (
        {"content": "a"},
        {"reasoning_content": "r"},
        {"refusal": "n"},
        {"tool_calls": [{"index": 0}]},
    ):
        stream = ChatPassthrough(request())
        stream.feed(sse(ROLE))
        assert not stream.has_content
        stream.feed(sse(chunk(delta)))
        assert stream.has_content
    stream = ChatPassthrough(request())
    stream.feed(sse(STOP))
    assert stream.has_content


def test_a_missing_role_is_added_once() -> None:
    first, second, *_rest = parsed(run(ChatPassthrough(request()), sse(HI, HI, STOP, DONE)))
    assert first["choices"][0]["delta"] == {"content": "Hi", "role": "assistant"}
    assert second["choices"][0]["delta"] == {"content": "Hi"}


def test_keep_alive_comments_and_padding_are_swallowed() -> None:
    noisy = (
        b": keep-alive\n\n"
        + sse(ROLE)
        + b"\n\n\n: ping\n"
        + sse(HI)
        + b"id: 7\nretry: 3\n"
        + sse(STOP)
        + DONE
    )
    assert run(ChatPassthrough(request()), noisy) == run(
        ChatPassthrough(request()), sse(ROLE, HI, STOP, DONE)
    )


def test_usage_that_was_not_asked_for_is_removed() -> None:
    separate = sse(ROLE, HI, STOP, chunk(usage=USAGE, choices=[]), DONE)
    on_finish = sse(ROLE, HI, {**STOP, "usage": USAGE}, DONE)
    for data in (separate, on_finish):
        stream = ChatPassthrough(request())
        out = run(stream, data)
        assert all(not c.get("usage") and c["choices"] for c in parsed(out))
        assert out.endswith(DONE)
        assert stream.usage is not None
        assert stream.usage.total_tokens == 7


def test_usage_that_was_asked_for_comes_once_and_last_whatever_the_provider_did() -> None:
    separate = sse(ROLE, HI, STOP, chunk(usage=USAGE, choices=[]), DONE)
    on_finish = sse(ROLE, HI, {**STOP, "usage": USAGE}, DONE)
    both = sse(ROLE, {**HI, "usage": USAGE}, {**STOP, "usage": USAGE}, chunk(usage=USAGE, choices=[]), DONE)
    for data in (separate, on_finish, both):
        out = run(ChatPassthrough(request(usage=True)), data)
        *_others, last = chunks = parsed(out)
        assert [bool(c.get("usage")) for c in chunks] == [False] * (len(chunks) - 1) + [True]
        assert last["choices"] == []
        assert last["id"] == "c1"
        assert last["model"] == "m"
        assert out.endswith(DONE)


def test_deepseeks_cache_hits_are_told_in_openais_words() -> None:
    usage = {**USAGE, "prompt_cache_hit_tokens": 2}
    stream = ChatPassthrough(request(usage=True))
    out = run(stream, sse(HI, {**STOP, "usage": usage}, DONE))
    assert parsed(out)[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert stream.usage is not None
    assert stream.usage.cached_tokens == 2


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("insufficient_system_resource", "length"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_a_finish_reason_is_always_one_of_openais(native: str, reason: str) -> None:
    stream = ChatPassthrough(request())
    last = parsed(run(stream, sse(ROLE, HI, chunk({}, native), DONE)))[-1]
    assert last["choices"][0]["finish_reason"] == reason
    assert stream.finish == native


def test_an_end_after_tool_calls_says_so() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    out = run(ChatPassthrough(request(tools=True)), sse(ROLE, HI, chunk({"tool_calls": [call]}), STOP, DONE))
    assert parsed(out)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_second_finish_is_taken_back() -> None:
    out = parsed(run(ChatPassthrough(request()), sse(ROLE, HI, STOP, STOP, DONE)))
    assert [c["choices"][0]["finish_reason"] for c in out] == [None, None, "stop", None]


def test_one_id_and_one_time_whatever_the_provider_sends() -> None:
    out = parsed(run(ChatPassthrough(request()), sse(ROLE, HI, {**HI, "id": "c2", "created": 6}, STOP, DONE)))
    assert {(c["id"], c["created"]) for c in out} == {("c1", 5)}


def test_a_chunk_without_id_or_time_gets_them() -> None:
    bare = {"choices": [{"delta": {"content": "a"}}]}
    out = parsed(
        run(ChatPassthrough(request()), sse(bare, bare, {"choices": [{"finish_reason": "stop"}]}, DONE))
    )
    assert len({c["id"] for c in out}) == 1
    assert {(c["object"], c["model"], c["choices"][0]["index"]) for c in out} == {
        ("chat.completion.chunk", "m", 0)
    }


def test_a_model_name_behind_the_choices_is_replaced_too() -> None:
    def turned(event: Json) -> Json:
        return dict(sorted(event.items()))

    out = parsed(run(ChatPassthrough(request()), sse(*map(turned, (ROLE, HI, HI, STOP)), DONE)))
    assert {c["model"] for c in out} == {"m"}


def test_an_error_in_the_stream_ends_it_without_done() -> None:
    error = {"error": {"message": "Rate limit", "type": "x", "code": 429}}
    stream = ChatPassthrough(request())
    out = run(stream, sse(ROLE, HI, error, HI, STOP, DONE))
    assert stream.fault is not None
    assert stream.fault.kind is ErrorKind.RATE_LIMITED
    assert "Rate limit" in parsed(out)[-1]["error"]["message"]
    assert b"[DONE]" not in out
    assert len(parsed(out)) == 3


@pytest.mark.parametrize(
    "broken",
    [
        b'{"error": {\n"message": "bare", "code": 503}}\n\n',
        b"data: {not json\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": 7}\n\n',
        b'data: {"choices": [7]}\n\n',
    ],
)
def test_garbage_is_a_fault(broken: bytes) -> None:
    stream = ChatPassthrough(request())
    out = run(stream, sse(ROLE, HI) + broken)
    assert stream.fault is not None
    assert b"[DONE]" not in out


def test_a_stream_that_ends_early_is_a_fault_and_one_without_done_is_not() -> None:
    early, whole = ChatPassthrough(request()), ChatPassthrough(request())
    assert b"[DONE]" not in run(early, sse(ROLE, HI))
    assert early.fault is not None
    assert early.fault.kind is ErrorKind.BAD_RESPONSE
    assert run(whole, sse(ROLE, HI, STOP)).endswith(DONE)
    assert whole.fault is None
    last = ChatPassthrough(request())
    assert run(last, sse(ROLE, HI, STOP)[:-2]).endswith(DONE)
    assert run(ChatPassthrough(request()), b"").startswith(b'data: {"error"')


def test_nothing_comes_after_done_or_a_failure() -> None:
    stream = ChatPassthrough(request())
    assert run(stream, sse(ROLE, HI, STOP, DONE, HI), sse(HI)).endswith(DONE)
    assert stream.fail(UpstreamError(ErrorKind.IDLE_TIMEOUT, "late")) == b""
    failed = ChatPassthrough(request())
    failed.feed(sse(ROLE, HI))
    assert failed.fail(UpstreamError(ErrorKind.IDLE_TIMEOUT, "late")).startswith(b'data: {"error"')
    assert failed.feed(sse(HI)) + failed.end() == b""


def thoughts(*texts: str) -> list[Json]:
    return [chunk({"reasoning_content": text}) for text in texts]


def test_thoughts_are_carried_as_soon_as_the_call_is_known_and_again_when_they_grew() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": "{}"}}
    stream = ChatPassthrough(request(tools=True))
    stream.feed(sse(ROLE, *thoughts("R", "1"), chunk({"tool_calls": [call]})))
    assert stream.carries == [Carry("deepseek.reasoning", "a", "R1")]
    stream.carries.clear()
    run(stream, sse(chunk({"tool_calls": [more]}), *thoughts("2"), chunk({}, "tool_calls"), DONE))
    assert stream.carries == [Carry("deepseek.reasoning", "a", "R12")]


def test_the_thoughts_of_the_answer_that_ends_a_tool_loop_are_carried_under_its_last_call() -> None:
    calls = [
        {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in ("a", "b")
    ]
    messages = (
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "tool", "tool_call_id": "a", "content": "A"},
    )
    stream = ChatPassthrough(request(tools=True, messages=messages))
    run(stream, sse(ROLE, *thoughts("R"), HI, STOP, DONE))
    assert stream.carries == [Carry("deepseek.reasoning_after", "b", "R")]


def test_nothing_is_carried_without_tools() -> None:
    stream = ChatPassthrough(request())
    run(stream, sse(ROLE, *thoughts("R"), HI, STOP, DONE))
    assert stream.carries == []


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
deltas = st.one_of(
    st.builds(lambda text: {"content": text}, texts),
    st.builds(lambda text: {"reasoning_content": text, "content": None}, texts),
    st.just({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
)
noise = st.sampled_from([b": keep-alive\n\n", b"\n", b": ping\n", b"event: x\n", b""])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    dump = draw(st.sampled_from([compact, spaced]))
    usage = draw(st.sampled_from([None, USAGE]))
    events = [ROLE, *[chunk(delta, usage=None) for delta in draw(st.lists(deltas, max_size=6))]]
    events.append(chunk({}, draw(st.sampled_from(["stop", "weird", "tool_calls", None])), usage=usage))
    events += draw(st.sampled_from([[], [{"error": "x"}], [chunk(choices=[], usage=USAGE)]]))
    raw = b"".join(draw(noise) + sse(event, dump=dump) for event in events)
    raw = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + raw
    return raw + draw(st.sampled_from([DONE, b"", b"data: {cut"]))


@settings(deadline=None)
@given(
    streams(), st.lists(st.integers(0, 3000), max_size=15), st.sampled_from([b"\n", b"\r\n"]), st.booleans()
)
def test_any_cut_and_either_newline_give_the_same_bytes(
    raw: bytes, cuts: list[int], newline: bytes, asked: bool
) -> None:
    wanted = request(usage=asked, tools=True)
    whole, cut = ChatPassthrough(wanted), ChatPassthrough(wanted)
    expected = run(whole, raw)
    raw = raw.replace(b"\n", newline)
    edges = [0, *sorted(min(edge, len(raw)) for edge in cuts), len(raw)]
    assert run(cut, *[raw[a:b] for a, b in itertools.pairwise(edges)]) == expected
    assert (cut.carries, cut.usage, cut.finish, cut.has_content) == (
        whole.carries,
        whole.usage,
        whole.finish,
        whole.has_content,
    )
    assert (cut.fault is None) == (whole.fault is None) == expected.endswith(DONE)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    stream = ChatPassthrough(request())
    run(stream, *pieces)
    assert stream.fault is not None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda s: (
            st.lists(s, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "index",
                        "finish_reason",
                        "usage",
                        "id",
                        "model",
                        "tool_calls",
                        "error",
                        "content",
                        "prompt_tokens",
                        "prompt_tokens_details",
                        "function",
                    ]
                ),
                s,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_no_json_raises(value: Any) -> None:
    for event in (
        value,
        {"choices": value},
        {"choices": [value], "usage": value},
        {"choices": [{"delta": value}]},
    ):
        try:
            data = compact(event)
        except TypeError:
            continue
        run(ChatPassthrough(request(tools=True)), b"data: " + data + b"\n\n", sse(STOP))


@pytest.mark.parametrize("name", ["text", "reasoning", "tool_call"])
def test_deepseeks_recorded_streams_come_out_whole(name: str) -> None:
    raw = (GOLDEN / "deepseek" / f"{name}.sse").read_bytes()
    stream = ChatPassthrough(request("mine", usage=True, tools=True))
    out = parsed(run(stream, raw))
    before = [orjson.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: {")]
    assert [c["choices"][0]["delta"] for c in out[:-1]] == [c["choices"][0]["delta"] for c in before]
    assert {c["model"] for c in out} == {"mine"}
    assert [bool(c.get("usage")) for c in out] == [False] * len(before) + [True]
    if name == "tool_call":
        (carry,) = stream.carries
        assert carry.key == out[-3]["choices"][0]["delta"].get("id", carry.key)
        assert carry.value == "".join(c["choices"][0]["delta"].get("reasoning_content") or "" for c in before)


@pytest.mark.parametrize("asked", [True, False])
def test_a_golden_openai_stream(asked: bool) -> None:
    folder = GOLDEN / "openai"
    raw = (folder / "tools.sse").read_bytes()
    expected = (folder / f"tools.{'with' if asked else 'without'}_usage.sse").read_bytes()
    stream = ChatPassthrough(request("gpt-5-mini", usage=asked, tools=True))
    assert run(stream, *[raw[i : i + 1] for i in range(len(raw))]) == expected
