"""The offline provider: answers without a model, for the first try and for testing clients against faults.

Its usage counts words, since there is no model whose tokens could be counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastproxy.errors import ErrorKind, UpstreamError, kind_of_upstream_status
from fastproxy.providers.demo_arguments import example_arguments
from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Delta, Event, Fault, Finish, ToolDelta, Usage

DEMO_MODELS = (
    "demo-chat",
    "demo-echo",
    "demo-slow",
    "demo-tools",
    "demo-error-400",
    "demo-error-429",
    "demo-error-500",
    "demo-error-503",
    "demo-error-midstream",
)
"""The models for the listing; `demo-error-STATUS` takes any status from 400 to 599."""

Paced = tuple[float, Event]
"""(seconds to wait before it, the event)."""

_CHAT_DELAY = 0.02
_RETRY_AFTER = 1.0
_GREETING = (
    "Hello! I am the demo model: no provider is asked and nothing leaves this machine, so I cannot think. "
    "But your client and fastproxy understand each other. Try demo-echo (says what you say), demo-slow (one "
    "word a second), demo-tools (calls the first tool you offer), demo-error-429 (any status) or "
    "demo-error-midstream. For real answers, set DEEPSEEK_API_KEY, sign in to Google Cloud or Claude, or "
    "start Ollama, and ask for one of their models."
)
_SLOW = "This answer comes at one word a second, so that you can watch it stream and cancel it."
_NO_TOOLS = "Offer me a tool in `tools`, and I will call the first one."
_BROKEN = "This answer breaks off in the"


def demo_events(request: ChatRequest, model: str = "") -> Iterable[Paced]:
    """The answer's events, each with the seconds to wait before it. `model` is the deployment's, by default
    the one that was asked for. Raises UpstreamError at once for `demo-error-STATUS` and unknown models."""
    name = (model or request.model).rpartition("/")[2]
    if error := re.fullmatch(r"demo-error-([45]\d\d)", name):
        raise _refusal(int(error[1]))
    if name == "demo-tools":
        return _call_tool(request)
    if name == "demo-error-midstream":
        return _break_off()
    texts = {
        "demo-chat": (_GREETING, _CHAT_DELAY),
        "demo-slow": (_SLOW, 1.0),
        "demo-echo": (_asked(request), 0.0),
    }
    if name not in texts:
        known = ", ".join(DEMO_MODELS)
        raise UpstreamError(
            ErrorKind.MODEL_NOT_FOUND, f"There is no demo model `{name}`. There are: {known}."
        )
    text, delay = texts[name]
    return _speak(request, text, delay)


def _speak(request: ChatRequest, text: str, delay: float = 0.0) -> Iterator[Paced]:
    for word in re.findall(r"\s*\S+|\s+\Z", text):
        yield delay, Delta(word)
    yield 0.0, Finish("stop")
    yield 0.0, _usage(request, text)


def _call_tool(request: ChatRequest) -> Iterator[Paced]:
    last = request.messages[-1]
    if last["role"] == "tool":
        yield from _speak(request, f"The tool answered: {_text(last)}")
        return
    choice = request.tool_choice
    wanted = choice.names if choice else ()
    offered = [tool["function"] for tool in request.tools if not wanted or tool["function"]["name"] in wanted]
    if not offered or (choice and choice.mode == "none"):
        yield from _speak(request, _NO_TOOLS)
        return
    function = offered[0]
    arguments = example_arguments(function.get("parameters", {}))
    yield 0.0, ToolDelta(0, "", f"call_demo_{len(request.messages)}", function["name"])
    yield 0.0, ToolDelta(0, arguments)
    yield 0.0, Finish("tool_calls")
    yield 0.0, _usage(request, arguments)


def _break_off() -> Iterator[Paced]:
    for word in re.findall(r"\s*\S+", _BROKEN):
        yield 0.0, Delta(word)
    yield 0.0, Fault(UpstreamError(ErrorKind.BAD_RESPONSE, "The demo model broke off, as you asked it to."))


def _refusal(status: int) -> UpstreamError:
    kind = kind_of_upstream_status(status)
    return UpstreamError(
        kind,
        f"The demo model answered {status}, as you asked it to.",
        upstream_status=status,
        retry_after=_RETRY_AFTER if status == 429 else None,
    )


def _asked(request: ChatRequest) -> str:
    """The last user message's text."""
    return next((_text(m) for m in reversed(request.messages) if m["role"] == "user"), "")


def _text(message: Json) -> str:
    content = message["content"]
    if isinstance(content, list):
        return " ".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def _usage(request: ChatRequest, answer: str) -> Usage:
    prompt = sum(len(_text(message).split()) for message in request.messages)
    completion = len(answer.split())
    return Usage(prompt, completion, prompt + completion)
