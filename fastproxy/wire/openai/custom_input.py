"""The free text of a custom tool's call, taken out of the JSON that the model writes, and put back into it.

A model sees a custom tool as a function with one string, `input`; the client wants that string alone.
"""

from __future__ import annotations

import re

import orjson

from fastproxy.types import Json
from fastproxy.wire.openai.calls import encode

_OPENING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
_TOKENS = re.compile(r'[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u]|"', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "/": "/"}
_LONGEST_OPENING = 64
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class InputReader:
    """Reads the pieces of one call's arguments and gives the text in `input`, as far as it is known.

    Arguments that do not begin with `input` are given at their end: their `input`, else they themselves (some
    models write the bare text). The same text comes out however the arguments were cut.
    """

    def __init__(self) -> None:
        self._waiting = ""
        self._open = False
        self._over = False
        self._high = ""

    def feed(self, piece: str) -> str:
        """The text that this piece adds."""
        if self._over:
            return ""
        self._waiting += piece
        if not self._open:
            # Behind this length it cannot begin any more: do not search a long text again with each piece.
            opening = _OPENING.match(self._waiting[:_LONGEST_OPENING])
            if opening is None:
                return ""
            self._open, self._waiting = True, self._waiting[opening.end() :]
        return self._read()

    def end(self) -> str:
        """The rest, now that nothing more comes."""
        if self._over:
            return ""
        self._over = True
        if self._open:  # cut off in the middle of the text
            return self._low("")
        return _bare(self._waiting)

    def _read(self) -> str:
        """Decodes what is waiting, up to the closing quote or half an escape."""
        text, at, made = self._waiting, 0, []
        while at < len(text):
            token = _TOKENS.match(text, at)
            if token is None:
                if _HALF_ESCAPE.fullmatch(text, at):
                    break
                made.append(self._low(text[at]))  # a backslash that begins no escape stands for itself
                at += 1
                continue
            at = token.end()
            if token[0] == '"':
                self._over = True
                made.append(self._low(""))
                break
            made.append(self._decoded(token[0]))
        self._waiting = text[at:]
        return "".join(made)

    def _decoded(self, token: str) -> str:
        if token[0] != "\\":
            return self._low(token)
        if token[1] != "u":
            return self._low(_ESCAPES.get(token[1], token))
        unit = int(token[2:], 16)
        if 0xDC00 <= unit <= 0xDFFF:
            high, self._high = self._high, ""
            return _pair(high, unit) if high else _REPLACEMENT
        if 0xD800 <= unit <= 0xDBFF:
            before = self._low("")
            self._high = chr(unit)
            return before
        return self._low(chr(unit))

    def _low(self, text: str) -> str:
        """The text, behind the half of a pair that stayed alone."""
        if not self._high:
            return text
        self._high = ""
        return _REPLACEMENT + text


def _pair(high: str, low: int) -> str:
    return chr(0x10000 + ((ord(high) - 0xD800) << 10) + (low - 0xDC00))


def read_input(arguments: str) -> str:
    """The text in whole arguments."""
    reader = InputReader()
    return reader.feed(arguments) + reader.end()


def _bare(arguments: str) -> str:
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    if isinstance(parsed, dict):
        given = parsed.get("input")
        return given if isinstance(given, str) else "" if not parsed else arguments
    return arguments


def wrap_inputs(messages: tuple[Json, ...], names: frozenset[str]) -> tuple[Json, ...]:
    """The messages, the arguments of custom tools' calls as JSON again."""
    return tuple(
        {**message, "tool_calls": [_wrapped(call, names) for call in message["tool_calls"]]}
        if message.get("tool_calls")
        else message
        for message in messages
    )


def _wrapped(call: Json, names: frozenset[str]) -> Json:
    function = call["function"]
    if function["name"] not in names or _is_wrapped(function["arguments"]):
        return call
    text = "" if function["arguments"] == "{}" else function["arguments"]
    return {**call, "function": {**function, "arguments": encode({"input": text}).decode()}}


def _is_wrapped(arguments: str) -> bool:
    try:
        parsed = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and list(parsed) == ["input"] and isinstance(parsed["input"], str)
