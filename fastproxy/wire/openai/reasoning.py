"""Keeps an answer's thoughts for the next request: some providers demand them back with their tool calls.

Source: DeepSeek's guide to the thinking mode: assistant turns of a tool loop must carry `reasoning_content`
in all later requests, and clients throw it away.
"""

from __future__ import annotations

from typing import Any

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.events import Carry

OF_CALL = "deepseek.reasoning"
"""The thoughts before a tool call, under the call's id."""
AFTER_CALL = "deepseek.reasoning_after"
"""The thoughts of the answer without tool calls that ended a tool loop, under the loop's last call id."""
MAX_CHARACTERS = 1024 * 1024
"""More is not kept: no store takes it."""


class ReasoningKeeper:
    """Collects the thoughts of one answer (its first choice). Idle where the request has no tools."""

    def __init__(self, request: ChatRequest) -> None:
        self.active = bool(request.tools)
        self._loop_id = _open_loop(request.messages) if self.active else None
        self._pieces: list[str] = []
        self._size = 0
        self._carried = 0
        self._ids: list[str] = []

    @property
    def heard(self) -> bool:
        """Whether there are thoughts to carry."""
        return self._size > 0

    def add(self, said: Json) -> list[Carry]:
        """What must be remembered as soon as this delta or message is known."""
        if not self.active:
            return []
        text = said.get("reasoning_content")
        if isinstance(text, str) and self._size < MAX_CHARACTERS:
            self._pieces.append(text)
            self._size += len(text)
        ids = [call_id for call_id in _ids_in(said.get("tool_calls")) if call_id not in self._ids]
        self._ids += ids
        return self._carry(ids)

    def end(self) -> list[Carry]:
        """What must be remembered when the answer is whole."""
        if self._ids:
            return self._carry(self._ids) if self._carried != self._size else []
        if self._loop_id is not None and self._size:
            return [Carry(AFTER_CALL, self._loop_id, "".join(self._pieces))]
        return []

    def _carry(self, ids: list[str]) -> list[Carry]:
        if not ids or not self._size:
            return []
        text = "".join(self._pieces)
        self._carried = self._size
        return [Carry(OF_CALL, call_id, text) for call_id in ids]


def _open_loop(messages: tuple[Json, ...]) -> str | None:
    """The id of the last tool call, where the request continues a tool loop: it ends with a tool's answer."""
    if not messages or messages[-1]["role"] != "tool":
        return None
    calls: list[Json] = next((m["tool_calls"] for m in reversed(messages) if m.get("tool_calls")), [])
    return str(calls[-1]["id"]) if calls else None


def _ids_in(calls: Any) -> list[str]:
    if not isinstance(calls, list):
        return []
    return [
        call["id"]
        for call in calls
        if isinstance(call, dict) and isinstance(call.get("id"), str) and call["id"]
    ]
