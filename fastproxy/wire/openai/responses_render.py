"""Events and completions as the bytes of OpenAI's Responses API.

Laws: `response.created` and `response.in_progress` come first; `response.completed`, `response.incomplete` or
`response.failed` comes last, and no `[DONE]`; every event has the next number. An item is closed before the
next is opened, but for a call that is not whole yet.
Source: `openai` Python SDK 3.54, `types/responses/response_stream_event.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastproxy.errors import ProxyError
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import Head
from fastproxy.wire.events import (
    Annotations,
    Carry,
    Choice,
    Completion,
    Delta,
    Event,
    Fault,
    Finish,
    Image,
    Reasoning,
    Refusal,
    ToolDelta,
    Usage,
)
from fastproxy.wire.openai.calls import encode
from fastproxy.wire.openai.responses_items import CallItem, EventWriter, ImageItem, MessageItem, ReasoningItem
from fastproxy.wire.openai.responses_object import final_status, response_json

_DATA_MARK = ";base64,"


class ResponsesRenderer:
    """Renders the events of one answer (its first choice). One object an attempt."""

    def __init__(self, head: Head, request: ChatRequest) -> None:
        head.number = head.beaten  # what an earlier attempt had numbered was never sent
        self._head, self._request = head, request
        self._events = EventWriter(head)
        self._suffix = head.id.rpartition("_")[2]
        self._output: dict[int, Json] = {}
        self._opened = 0
        self._said: MessageItem | ReasoningItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._pending: list[Carry] = []
        self._carried: list[Carry] = []
        self._usage: Usage | None = None
        self._finish = "stop"
        self._failed = False

    def render(self, events: Sequence[Event]) -> bytes:
        """The events' bytes; b"" where they show nothing."""
        # A carrier goes before the call it belongs to, whichever of the two was said first.
        for event in events:
            if isinstance(event, Carry):
                self._carry(event)
        for event in events:
            if not self._failed:
                self._take(event)
        return self._events.take()

    def end(self) -> bytes:
        """The whole response; b"" after a Fault."""
        if self._failed:
            return b""
        self._begin()
        self._close_all()
        self._flush_carries()
        status = final_status(self._finish)
        self._events.send(f"response.{status}", response=self.response())
        return self._events.take()

    def response(self) -> Json:
        """The response as far as it is known."""
        output = [self._output[index] for index in sorted(self._output)]
        status = final_status(self._finish)
        return response_json(
            self._head, self._request, status, output, usage=self._usage, finish=self._finish
        )

    def _take(self, event: Event) -> None:
        match event:
            case Fault():
                self._failed = True
                self._begin()
                _fail(self._events, self._head, self._request, event.error)
            case Usage():
                self._usage = event
            case Carry():
                pass
            case _ if not event.choice:  # a response is one answer
                self._show(event)

    def _show(self, event: Delta | Reasoning | Refusal | ToolDelta | Annotations | Image | Finish) -> None:
        match event:
            case Finish():
                self._finish = event.reason
                self._close_all()
            case ToolDelta():
                self._call(event)
            case Image():
                self._image(event.url)
            case Annotations():
                if isinstance(self._said, MessageItem):
                    self._said.cite(event.items)
            case Reasoning():
                self._reasoning().say(event.text)
            case Delta():
                self._message().say(event.text, event.logprobs)
            case Refusal():
                self._message().refuse(event.text)

    def _begin(self) -> None:
        if self._head.number == 0:
            _open(self._events, self._head, self._request)

    def _message(self) -> MessageItem:
        if not isinstance(self._said, MessageItem):
            self._said = MessageItem(self._events, *self._next("msg"))
        return self._said

    def _reasoning(self) -> ReasoningItem:
        if not isinstance(self._said, ReasoningItem):
            self._said = ReasoningItem(self._events, *self._next("rs"))
        return self._said

    def _call(self, event: ToolDelta) -> None:
        call = self._calls.get(event.index)
        if call is None and event.id is not None:
            self._close_finished()
            self._flush_carries()
            custom = event.name in self._request.custom_tools
            place = self._next("ctc" if custom else "fc")
            call = CallItem(self._events, *place, event.id, event.name or "", custom=custom)
            self._calls[event.index] = call
        if call is not None and event.arguments and call.index not in self._output:
            call.grow(event.arguments)

    def _image(self, url: str) -> None:
        _media, mark, data = url.partition(_DATA_MARK)
        if mark:
            item = ImageItem(self._events, *self._next("ig"))
            self._output[item.index] = item.close(data)
        else:
            self._message().say(f"![image]({url})", ())

    def _next(self, prefix: str) -> tuple[int, str]:
        """(place, id) of the next item, now that those before it are closed."""
        self._begin()
        self._close_finished()
        index, self._opened = self._opened, self._opened + 1
        return index, f"{prefix}_{self._suffix}_{index}"

    def _close_finished(self) -> None:
        self._close_said("completed")
        for call in self._calls.values():
            if call.index not in self._output and call.is_whole():
                self._output[call.index] = call.close("completed")

    def _close_all(self) -> None:
        self._close_said(final_status(self._finish))
        for call in self._calls.values():
            if call.index not in self._output:
                status = "completed" if call.is_whole() else final_status(self._finish)
                self._output[call.index] = call.close(status)

    def _close_said(self, status: str) -> None:
        said, self._said = self._said, None
        if isinstance(said, ReasoningItem):
            self._output[said.index] = said.close(self._take_carries())
        elif said is not None:
            self._output[said.index] = said.close(status)

    def _carry(self, carry: Carry) -> None:
        """Parallel calls come with the same thoughts: once is enough, they come back as one turn."""
        if not any(known.kind == carry.kind and known.value == carry.value for known in self._carried):
            self._carried.append(carry)
            self._pending.append(carry)

    def _take_carries(self) -> list[Carry]:
        pending, self._pending = self._pending, []
        return pending

    def _flush_carries(self) -> None:
        """What no item of thoughts took goes into one of its own."""
        if self._pending:
            self._said = ReasoningItem(self._events, *self._next("rs"))
            self._close_said("completed")


def render_response(completion: Completion, head: Head, request: ChatRequest) -> bytes:
    """The `response` body of a whole answer."""
    renderer = ResponsesRenderer(head, request)
    renderer.render([*completion.carries, *_events_of(completion)])
    renderer.end()
    return encode(renderer.response())


def _events_of(completion: Completion) -> Iterator[Event]:
    choice = completion.choices[0] if completion.choices else Choice()
    if choice.reasoning:
        yield Reasoning(choice.reasoning)
    if choice.text:
        yield Delta(choice.text, logprobs=tuple(choice.logprobs))
    yield Annotations(tuple(choice.annotations))
    if choice.refusal:
        yield Refusal(choice.refusal)
    yield from (Image(url) for url in choice.images)
    for index, call in enumerate(choice.tool_calls):
        yield ToolDelta(index, call.arguments, call.id, call.name)
    yield Finish(choice.finish_reason)
    if completion.usage is not None:
        yield completion.usage


def heartbeat(head: Head, request: ChatRequest) -> bytes:
    """An event that says nothing new: some clients' patience counts events only. Once the answer has begun, a
    comment: its events follow without a gap."""
    if head.number != head.beaten:
        return b": ping\n"
    events = EventWriter(head)
    if head.number == 0:
        _open(events, head, request)
    else:
        _send(events, "in_progress", head, request)
    head.beaten = head.number
    return events.take()


def stream_error(head: Head, error: ProxyError) -> bytes:
    """The event that ends a stream whose answer never began, or was cut off by the proxy."""
    events = EventWriter(head)
    _fail(events, head, ChatRequest(head.model, ()), error)
    return events.take()


def _open(events: EventWriter, head: Head, request: ChatRequest) -> None:
    events.send("response.created", response=response_json(head, request, "in_progress"))
    _send(events, "in_progress", head, request)


def _send(events: EventWriter, status: str, head: Head, request: ChatRequest) -> None:
    events.send(f"response.{status}", response=response_json(head, request, status))


def _fail(events: EventWriter, head: Head, request: ChatRequest, error: ProxyError) -> None:
    events.send("response.failed", response=response_json(head, request, "failed", error=error))
