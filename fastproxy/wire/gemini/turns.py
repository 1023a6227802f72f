"""OpenAI's messages in, Gemini's turns out.

Each rule is a 400 of the real API when it is broken:

1. The first turn is the user's and so is the last; neighbours of one role are one turn.
2. A model turn with function calls is followed at once by a turn with exactly as many responses, in the
   order of the calls, and nothing else; what the user says then is a turn of its own.
3. No turn is without parts, no text is empty, every response is an object and bears its function's name.
4. From Gemini 3 on the first call of a model turn bears a thought signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.gemini.content import invalid, parts, texts
from fastproxy.wire.gemini.model import Model
from fastproxy.wire.gemini.tools import ToolNames

SIGNATURE = "gemini.signature"
"""The kind of `Carry` that brings a call's signature back."""
NO_SIGNATURES = "gemini.no_signatures"
"""The repair that replaces every signature."""
BYPASS = "skip_thought_signature_validator"
"""Stands in for an unknown signature (source: Google's page on thought signatures)."""

_NO_OUTPUT = "(no output)"
_SILENCE = " "
_GO_ON = "Continue."
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]+")


def conversation(request: ChatRequest, model: Model, names: ToolNames) -> tuple[list[str], list[Json]]:
    """The system texts in order, and `contents`. Raises INVALID_REQUEST for a message of no known form."""
    system: list[str] = []
    history = _History(request, model, names)
    for index, message in enumerate(request.messages):
        param = f"messages[{index}]"
        role = message.get("role") if isinstance(message, dict) else None
        if role in ("system", "developer"):
            system.extend(texts(message.get("content"), f"{param}.content"))
        elif role == "user":
            history.user(parts(message.get("content"), f"{param}.content"))
        elif role == "assistant":
            history.model(message, param)
        elif role == "tool":
            history.result(message, param)
        else:
            raise invalid(f"{param}.role must be system, developer, user, assistant or tool.", param)
    if not history.contents and system:  # Gemini wants somebody to speak
        return [], [{"role": "user", "parts": [{"text": text} for text in system]}]
    return system, history.closed()


class _History:
    """The turns so far. Every call's response has its place from the start; results fill them."""

    def __init__(self, request: ChatRequest, model: Model, names: ToolNames) -> None:
        self.contents: list[Json] = []
        self._request = request
        self._model = model
        self._names = names
        self._open: dict[str, list[Json]] = {}

    def user(self, said: list[Json]) -> None:
        last = self.contents[-1] if self.contents else None
        if last and last["role"] == "user" and not _holds_responses(last):
            last["parts"].extend(said)
        else:
            self.contents.append({"role": "user", "parts": said})

    def model(self, message: Json, param: str) -> None:
        said = parts(message.get("content"), f"{param}.content")
        calls = list(_calls(message, param))
        said.extend(self._call_part(call, first=not index) for index, call in enumerate(calls))
        if not said:
            return
        if self.contents and self.contents[-1]["role"] == "model":
            self.contents[-1]["parts"].extend(said)
        else:
            self.contents.append({"role": "model", "parts": said})
        if calls:
            self._await_results(calls)

    def result(self, message: Json, param: str) -> None:
        """Puts a tool's result where its call awaits it; a result without a call is dropped."""
        places = self._open.get(str(message.get("tool_call_id")))
        if not places:
            return
        found = parts(message.get("content"), f"{param}.content")
        text = "".join(part["text"] for part in found if "text" in part)
        places.pop(0)["response"] = _as_object(text or _NO_OUTPUT)
        media = [part for part in found if "text" not in part]
        if media:  # beside a response nothing else may stand
            self.user(media)

    def closed(self) -> list[Json]:
        """The turns, made to begin and end with the user."""
        for content in self.contents:
            content["parts"] = content["parts"] or [{"text": _SILENCE}]
        first = [_user(_SILENCE)] if not self.contents or self.contents[0]["role"] == "model" else []
        last = [_user(_GO_ON)] if self.contents and self.contents[-1]["role"] == "model" else []
        return [*first, *self.contents, *last]

    def _await_results(self, calls: list[Json]) -> None:
        fresh: dict[str, list[Json]] = {}
        answers = []
        for call in calls:
            name = self._names.to_gemini(call["function"]["name"])
            response: Json = {"name": name, "response": {"output": _NO_OUTPUT}}
            answers.append({"functionResponse": response})
            fresh.setdefault(str(call.get("id")), []).append(response)
        self.contents.append({"role": "user", "parts": answers})
        self._open.update(fresh)

    def _call_part(self, call: Json, *, first: bool) -> Json:
        function = call["function"]
        args = _arguments(function.get("arguments"))
        part: Json = {"functionCall": {"name": self._names.to_gemini(function["name"]), "args": args}}
        signature = self._signature(call, first)
        return {**part, "thoughtSignature": signature} if signature else part

    def _signature(self, call: Json, first: bool) -> str | None:
        if NO_SIGNATURES in self._request.repairs:
            return BYPASS if self._model.needs_signatures or self._model.version is None else None
        known = _sent_signature(call) or self._request.recalled.get((SIGNATURE, str(call.get("id"))))
        if isinstance(known, str) and _BASE64.fullmatch(known):
            return known
        return BYPASS if first and self._model.needs_signatures else None


def _calls(message: Json, param: str) -> Iterator[Json]:
    """The assistant's calls that name a function."""
    calls = message.get("tool_calls") or ()
    if not isinstance(calls, list | tuple):
        raise invalid(f"{param}.tool_calls must be a list.", f"{param}.tool_calls")
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str) and name:
            yield call


def _sent_signature(call: Json) -> object:
    """What the client kept of the signature: Google's own place for it first, then its plain names."""
    for holder in (call, call["function"]):
        extra = holder.get("extra_content")
        google = extra.get("google") if isinstance(extra, dict) else None
        if isinstance(google, dict) and google.get("thought_signature"):
            return google["thought_signature"]
    return call.get("thought_signature") or call.get("thoughtSignature")


def _arguments(value: object) -> Json:
    """`args`, which must be an object: what the model once wrote otherwise is kept under one key."""
    if isinstance(value, dict):
        return value
    parsed = _parsed(value) if isinstance(value, str) else value
    if isinstance(parsed, dict):
        return parsed
    return {"arguments": value} if value else {}


def _as_object(text: str) -> Json:
    parsed = _parsed(text) if text[:1] in "{[ \n" else None
    if isinstance(parsed, dict):
        return parsed
    return {"output": parsed if isinstance(parsed, list) else text}


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _holds_responses(content: Json) -> bool:
    return bool(content["parts"]) and "functionResponse" in content["parts"][0]


def _user(text: str) -> Json:
    return {"role": "user", "parts": [{"text": text}]}
