"""Tools on their way out: names Gemini accepts, declarations, and which of them may be called.

Names are changed statelessly: the same tools give the same names, so an answer's names can be turned
back from the request alone.
"""

from __future__ import annotations

import re

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.gemini.content import invalid
from fastproxy.wire.gemini.legacy_schema import legacy_parameters
from fastproxy.wire.gemini.model import Model
from fastproxy.wire.gemini.schema import json_schema

LEGACY_SCHEMA = "gemini.legacy_schema"
"""The repair that writes every schema in the older dialect."""

_MAX_NAME = 64  # the documented bound has been 64 and 128: the shorter one is right for both
_LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_ILLEGAL_CHARACTER = re.compile(r"[^A-Za-z0-9_.:-]")
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}


class ToolNames:
    """The names of one request's tools, the client's and Gemini's."""

    def __init__(self, tools: tuple[Json, ...]) -> None:
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}
        for tool in tools:
            name = _name_of(tool)
            if name and name not in self._ours:
                safe = self._unused(name)
                self._ours[name], self._theirs[safe] = safe, name

    def to_gemini(self, name: str) -> str:
        """The name Gemini is told; also for a tool that is no longer declared."""
        return self._ours.get(name) or _legal(name)

    def to_client(self, name: str) -> str:
        """The client's own name for what the model called."""
        return self._theirs.get(name, name)

    def known(self, name: str) -> bool:
        """Whether a tool of this (the client's) name is declared."""
        return name in self._ours

    def _unused(self, name: str) -> str:
        safe, number = _legal(name), 1
        while safe in self._theirs:
            number += 1
            suffix = f"_{number}"
            safe = _legal(name)[: _MAX_NAME - len(suffix)] + suffix
        return safe


def declarations(request: ChatRequest, model: Model, names: ToolNames) -> list[Json]:
    """`functionDeclarations`, one for each tool name (the first of two alike wins: Google refuses both)."""
    legacy = not model.takes_json_schema or LEGACY_SCHEMA in request.repairs
    declared: dict[str, Json] = {}
    for index, tool in enumerate(request.tools):
        name = _name_of(tool)
        if not name:
            raise invalid(f"tools[{index}].function.name must be a non-empty string.", f"tools[{index}]")
        if name not in declared:
            declared[name] = _declaration(names.to_gemini(name), tool["function"], legacy)
    return list(declared.values())


def tool_config(request: ChatRequest, names: ToolNames) -> Json | None:
    """`toolConfig` for the client's tool_choice; None where Gemini's default says the same."""
    choice = request.tool_choice
    if choice is None or (choice.mode == "auto" and not choice.names):
        return None
    mode = _MODES.get(choice.mode)
    if mode is None:
        raise invalid(f"tool_choice must be one of {', '.join(_MODES)}, or name a function.", "tool_choice")
    config: Json = {"mode": mode}
    if choice.names and mode != "NONE":
        allowed = [names.to_gemini(name) for name in choice.names if names.known(name)]
        if not allowed:
            raise invalid("tool_choice names no function that `tools` declares.", "tool_choice")
        # AUTO takes no list of names; VALIDATED is AUTO with one.
        config = {"mode": "VALIDATED" if mode == "AUTO" else mode, "allowedFunctionNames": allowed}
    return {"functionCallingConfig": config}


def _declaration(name: str, function: Json, legacy: bool) -> Json:
    declaration: Json = {"name": name}
    if isinstance(function.get("description"), str) and function["description"]:
        declaration["description"] = function["description"]
    schema = json_schema(function.get("parameters"))
    if legacy:
        parameters = legacy_parameters(schema)
        return declaration if parameters is None else {**declaration, "parameters": parameters}
    if _says_something(schema):
        kind = {} if schema.keys() & {"type", "$ref", "anyOf", "oneOf"} else {"type": "object"}
        declaration["parametersJsonSchema"] = {**kind, **schema}
    return declaration


def _says_something(schema: Json) -> bool:
    return any(schema.get(key) for key in ("properties", "additionalProperties", "$ref", "anyOf", "oneOf"))


def _name_of(tool: Json) -> str | None:
    function = tool.get("function") if isinstance(tool, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) and name else None


def _legal(name: str) -> str:
    if _LEGAL.fullmatch(name):
        return name
    safe = _ILLEGAL_CHARACTER.sub("_", name)
    if not (safe[0].isalpha() or safe[0] == "_"):
        safe = f"_{safe}"
    return safe[:_MAX_NAME]
