"""Tools and tool choices of every shape that clients send, as OpenAI's function tools and one `ToolChoice`.

Shapes: OpenAI chat (nested), OpenAI Responses (flat), Anthropic (`input_schema`), the old `functions`,
and free-text `custom` tools, which become functions with one string, `input`.
"""

from __future__ import annotations

from typing import Any

from fastproxy.types import Json, ToolChoice
from fastproxy.wire.openai.faults import invalid, wrong_type

_NO_PARAMETERS: Json = {"type": "object", "properties": {}}
_MODES = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


def parse_tools(body: Json) -> tuple[Json, ...]:
    """The function tools of a chat body. Hosted tools (`web_search`, `bash_…`, `mcp`, ...) are left out:
    they run at OpenAI's or Anthropic's, not at the client's."""
    found: list[Json] = []
    for field in ("tools", "functions"):
        tools = body.get(field)
        if tools is None:
            continue
        if not isinstance(tools, list):
            raise wrong_type(field, "a list of tools", tools)
        for index, tool in enumerate(tools):
            param = f"{field}[{index}]"
            if not isinstance(tool, dict):
                raise wrong_type(param, "an object", tool)
            if (function := _function_tool(tool, param)) is not None:
                found.append(function)
    return tuple(found)


def custom_tool_names(body: Json) -> frozenset[str]:
    """The names of the free-text tools among the (already parsed) tools of a body."""
    tools = body.get("tools")
    return frozenset(_name_in(tool, "tools") for tool in tools if _is_custom(tool)) if tools else frozenset()


def _is_custom(tool: Json) -> bool:
    return tool.get("type") == "custom" and not isinstance(tool.get("input_schema"), dict)


def _function_tool(tool: Json, param: str) -> Json | None:
    function, kind = tool.get("function"), tool.get("type")
    if isinstance(function, dict) and kind in (None, "function"):
        return _nested(tool, function, param)
    if isinstance(tool.get("input_schema"), dict) and kind in (None, "custom", "function"):
        return _flat(tool, tool["input_schema"], param)
    if _is_custom(tool):
        return _custom(tool, param)
    if kind in (None, "function"):
        if "function" in tool:
            raise wrong_type(f"{param}.function", "an object with `name` and `parameters`", function)
        return _flat(tool, tool.get("parameters"), param)
    if not isinstance(kind, str):
        raise wrong_type(f"{param}.type", '"function"', kind)
    return None


def _nested(tool: Json, function: Json, param: str) -> Json:
    _check_name(function, f"{param}.function")
    parameters = function.get("parameters")
    if isinstance(parameters, dict) and parameters and "type" in tool:
        return tool
    return {**tool, "type": "function", "function": {**function, "parameters": _schema(parameters, param)}}


def _flat(tool: Json, schema: object, param: str) -> Json:
    _check_name(tool, param)
    function: Json = {"name": tool["name"]}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    function["parameters"] = _schema(schema, param)
    if isinstance(tool.get("strict"), bool):
        function["strict"] = tool["strict"]
    rest = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
    return {"type": "function", "function": function, **rest}


def _schema(schema: object, param: str) -> Json:
    if schema is None or schema == {}:
        return _NO_PARAMETERS
    if not isinstance(schema, dict):
        raise wrong_type(f"{param}.parameters", "a JSON schema object", schema)
    return schema


def _custom(tool: Json, param: str) -> Json:
    nested = tool.get("custom")
    described: Json = nested if isinstance(nested, dict) else tool
    _check_name(described, param)
    wanted = described.get("format")
    function: Json = {"name": described["name"]}
    if isinstance(described.get("description"), str):
        function["description"] = described["description"]
    text: Json = {"type": "string"}
    if grammar := _grammar(wanted):
        text["description"] = grammar
    function["parameters"] = {"type": "object", "properties": {"input": text}, "required": ["input"]}
    return {"type": "function", "function": function}


def _grammar(wanted: object) -> str:
    if not isinstance(wanted, dict):
        return ""
    inner = wanted.get("grammar")
    rule: Json = inner if isinstance(inner, dict) else wanted
    definition = rule.get("definition")
    return (
        f"Text in this {rule.get('syntax', '')} grammar:\n{definition}" if isinstance(definition, str) else ""
    )


def _check_name(holder: Json, param: str) -> None:
    name = holder.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(f"{param}.name", f"`{param}.name` must be a string that is not empty: the tool's name.")


def parse_tool_choice(body: Json, tools: tuple[Json, ...]) -> ToolChoice | None:
    """`tool_choice` (or the old `function_call`) as one value; None where there is nothing to choose from."""
    choice = body.get("tool_choice")
    param = "tool_choice"
    if choice is None and body.get("function_call") is not None:
        choice, param = body["function_call"], "function_call"
    if choice is None:
        return None
    parsed = _choice(choice, param)
    if not tools:
        return None
    known = {tool["function"]["name"] for tool in tools}
    names = tuple(name for name in parsed.names if name in known)
    if parsed.names and not names:
        raise invalid(param, f"`{param}` names `{parsed.names[0]}`, which is not among `tools`.")
    return ToolChoice(parsed.mode, names)


def _choice(choice: object, param: str) -> ToolChoice:
    if isinstance(choice, str):
        return ToolChoice(_mode(choice, param))
    if not isinstance(choice, dict):
        raise wrong_type(param, "a string or an object", choice)
    kind = choice.get("type")
    if kind == "allowed_tools":
        return _allowed(choice, param)
    if kind in (None, "function", "tool", "custom"):
        return ToolChoice("required", (_name_in(choice, param),))
    if isinstance(kind, str) and kind in _MODES:
        return ToolChoice(_MODES[kind])
    return ToolChoice("auto")  # a hosted tool: it was left out of the tools


def _mode(word: object, param: str) -> str:
    if not isinstance(word, str) or word not in _MODES:
        raise invalid(param, f'`{param}` must be "auto", "none", "required" or an object that names a tool.')
    return _MODES[word]


def _allowed(choice: Json, param: str) -> ToolChoice:
    nested = choice.get("allowed_tools")
    allowed: Json = nested if isinstance(nested, dict) else choice
    tools = allowed.get("tools")
    if not isinstance(tools, list) or not tools:
        raise invalid(f"{param}.tools", f"`{param}.tools` must be a list of at least one tool.")
    names = tuple(_name_in(tool, f"{param}.tools") for tool in tools)
    return ToolChoice(_mode(allowed.get("mode", "auto"), f"{param}.mode"), names)


def _name_in(holder: Any, param: str) -> str:
    """The name in `{"name"}`, `{"function": {"name"}}` or `{"custom": {"name"}}`."""
    if isinstance(holder, dict):
        for place in (holder.get("function"), holder.get("custom"), holder):
            if isinstance(place, dict) and isinstance(place.get("name"), str):
                return str(place["name"])
    raise invalid(param, f'`{param}` must name a tool: {{"type": "function", "function": {{"name": "…"}}}}.')
