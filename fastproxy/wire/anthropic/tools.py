"""Tools and the choice among them, OpenAI's to Anthropic's.

Sources: Anthropic's Messages reference ("tools", "tool_choice"), SDK types ToolParam and ToolChoice*Param.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastproxy.types import ChatRequest, Dropped, Json, ToolChoice
from fastproxy.wire.anthropic.content import with_cache_control
from fastproxy.wire.anthropic.models import Model
from fastproxy.wire.anthropic.schema import closed_schema, input_schema
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

ANSWER_TOOL = "_structured_answer"
"""The tool that older models are made to call when the client wants a JSON answer."""
_MAX_STRICT_TOOLS = 20
"""Anthropic refuses requests with more strict tools than this."""
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 128


def legal(text: str, fallback: str = "_") -> str:
    """The text with what Anthropic refuses in a name or id replaced: `^[a-zA-Z0-9_-]+$`."""
    return _ILLEGAL.sub("_", text) or fallback


def wire_names(tools: Sequence[Json]) -> dict[str, str]:
    """Every tool's name -> its name on Anthropic's side, legal and unique. The same tools, the same names."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for tool in tools:
        name = text_of(object_of(tool.get("function")).get("name"))
        if name not in names:
            names[name] = unique(legal(name)[:_MAX_NAME], taken, _MAX_NAME)
    return names


def unique(name: str, taken: set[str], limit: int) -> str:
    """`name`, or `name_2`, `name_3`, ... where it is taken; the result is added to `taken`."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name[: limit - len(str(count)) - 1]}_{count}"
    taken.add(found)
    return found


@dataclass(slots=True)
class ToolFields:
    """The body's `tools` and `tool_choice`, and what could not be said in them."""

    tools: list[Json] = field(default_factory=list)
    choice: Json | None = None
    dropped: list[Dropped] = field(default_factory=list)

    def forces(self) -> bool:
        """The model must call a tool."""
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def tool_fields(request: ChatRequest, model: Model, names: dict[str, str]) -> ToolFields:
    """The request's tools and tool choice in Anthropic's form."""
    fields = ToolFields()
    choice = request.tool_choice
    if not request.tools:
        return fields
    _check_names(choice, names)
    tools = _offered(request.tools, choice)
    strict = model.structured and sum(_is_strict(tool) for tool in tools) <= _MAX_STRICT_TOOLS
    fields.tools = [_tool(tool, names, strict, index) for index, tool in enumerate(tools)]
    if not strict and any(map(_is_strict, tools)):
        fields.dropped.append(Dropped("tools.strict", "this model, or this many tools, cannot be strict"))
    fields.choice = _choice(choice, names)
    if fields.forces() and not model.forced_tools:
        fields.choice = {"type": "auto"}
        fields.dropped.append(Dropped("tool_choice", "this model cannot be forced to call a tool"))
    _forbid_parallel(fields, request)
    return fields


def force_answer(fields: ToolFields, schema: Json, description: str) -> None:
    """Make the model answer by calling ANSWER_TOOL (or one of the client's own tools)."""
    alone = not fields.tools or fields.choice == {"type": "none"}
    tool = {"name": ANSWER_TOOL, "description": description, "input_schema": schema}
    fields.tools = [tool] if alone else [*fields.tools, tool]
    fields.choice = (
        {"type": "tool", "name": ANSWER_TOOL} if alone else {**(fields.choice or {}), "type": "any"}
    )


def declare_used(fields: ToolFields, used: Iterable[str]) -> None:
    """Declare the tools of a history whose request offers none: tool blocks without tools are a 400."""
    if not fields.tools:
        fields.tools = [{"name": name, "input_schema": input_schema(None, "")} for name in used]
        fields.choice = {"type": "none"} if fields.tools else None


def _offered(tools: Sequence[Json], choice: ToolChoice | None) -> list[Json]:
    """The tools the choice allows; a single forced tool is named in tool_choice, the others stay (cache)."""
    if choice is None or not choice.names or (choice.mode == "required" and len(choice.names) == 1):
        return list(tools)
    return [tool for tool in tools if object_of(tool.get("function")).get("name") in choice.names]


def _check_names(choice: ToolChoice | None, names: dict[str, str]) -> None:
    unknown = [name for name in choice.names if name not in names] if choice else []
    if unknown:
        invalid(f"`tool_choice` names the tool {unknown[0]!r}, which is not among `tools`.", "tool_choice")


def _tool(tool: Json, names: dict[str, str], strict: bool, index: int) -> Json:
    function = object_of(tool.get("function"))
    name = text_of(function.get("name"))
    if not name:
        invalid("Every tool needs a `function.name`.", f"tools[{index}].function.name")
    where = f"tools[{index}].function.parameters"
    schema = input_schema(function.get("parameters"), where)
    built: Json = {"name": names[name]}
    if description := text_of(function.get("description")):
        built["description"] = description
    if strict and _is_strict(tool):
        built |= {"input_schema": closed_schema(schema, where), "strict": True}
    else:
        built["input_schema"] = schema
    return with_cache_control(with_cache_control(built, function), tool)


def _is_strict(tool: Json) -> bool:
    return object_of(tool.get("function")).get("strict") is True


def _choice(choice: ToolChoice | None, names: dict[str, str]) -> Json | None:
    if choice is None:
        return None
    if choice.mode == "required" and len(choice.names) == 1:
        return {"type": "tool", "name": names[choice.names[0]]}
    return {"type": {"required": "any", "none": "none"}.get(choice.mode, "auto")}


def _forbid_parallel(fields: ToolFields, request: ChatRequest) -> None:
    if request.parameters.get("parallel_tool_calls") is False:
        choice = fields.choice or {"type": "auto"}
        if choice["type"] != "none":
            fields.choice = {**choice, "disable_parallel_tool_use": True}
