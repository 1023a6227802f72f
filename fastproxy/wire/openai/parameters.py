"""The table of OpenAI's chat parameters: which there are, and of what type; ranges are the providers' matter.

Source: `openai` Python SDK 3.54, `types/chat/completion_create_params.py`.
"""

from __future__ import annotations

from fastproxy.types import Json
from fastproxy.wire.openai.faults import invalid, wrong_type

_NUMBER = ((int, float), "a number")
_INTEGER = ((int,), "an integer")
_FLAG = ((bool,), "true or false")
_TEXT = ((str,), "a string")
_OBJECT = ((dict,), "an object")
_LIST = ((list,), "a list")

_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "audio": _OBJECT,
    "frequency_penalty": _NUMBER,
    "logit_bias": _OBJECT,
    "logprobs": _FLAG,
    "max_completion_tokens": _INTEGER,
    "max_tokens": _INTEGER,
    "metadata": _OBJECT,
    "modalities": _LIST,
    "moderation": _OBJECT,
    "n": _INTEGER,
    "parallel_tool_calls": _FLAG,
    "prediction": _OBJECT,
    "presence_penalty": _NUMBER,
    "prompt_cache_key": _TEXT,
    "prompt_cache_options": _OBJECT,
    "prompt_cache_retention": _TEXT,
    "reasoning_effort": _TEXT,
    "response_format": _OBJECT,
    "safety_identifier": _TEXT,
    "seed": _INTEGER,
    "service_tier": _TEXT,
    "stop": ((str, list), "a string or a list of strings"),
    "store": _FLAG,
    "temperature": _NUMBER,
    "top_logprobs": _INTEGER,
    "top_p": _NUMBER,
    "user": _TEXT,
    "verbosity": _TEXT,
    "web_search_options": _OBJECT,
}
_STRUCTURE = {"model", "messages", "stream", "stream_options", "tools", "tool_choice"}
_STRUCTURE |= {"functions", "function_call", "input", "system"}
_FORMATS = ("text", "json_object", "json_schema")


def split_parameters(body: Json) -> tuple[Json, Json]:
    """(OpenAI's parameters, the fields OpenAI does not know), nulls left out of both."""
    parameters: Json = {}
    extra: Json = {}
    for name, value in body.items():
        if value is None or name in _STRUCTURE:
            continue
        if (row := _TYPES.get(name)) is None:
            extra[name] = value
            continue
        if type(value) not in row[0]:  # exact: a boolean is no integer here
            raise wrong_type(name, row[1], value)
        parameters[name] = value
    if "stop" in parameters:
        _take_stop(parameters)
    if "response_format" in parameters:
        _check_format(parameters["response_format"])
    _take_responses_names(parameters, extra)
    return parameters, extra


def _take_stop(parameters: Json) -> None:
    stop = parameters.pop("stop")
    words = [stop] if isinstance(stop, str) else stop
    for index, word in enumerate(words):
        if not isinstance(word, str):
            raise wrong_type(f"stop[{index}]", "a string", word)
    if words:
        parameters["stop"] = words


def _check_format(wanted: Json) -> None:
    kind = wanted.get("type")
    if kind not in _FORMATS:
        raise invalid("response_format.type", f"`response_format.type` must be one of {', '.join(_FORMATS)}.")
    if kind == "json_schema":
        described = wanted.get("json_schema")
        if not isinstance(described, dict):
            raise wrong_type("response_format.json_schema", "an object with `name` and `schema`", described)
        if not isinstance(described.get("schema", {}), dict):
            raise wrong_type(
                "response_format.json_schema.schema", "a JSON schema object", described["schema"]
            )


def _take_responses_names(parameters: Json, extra: Json) -> None:
    """Names of the Responses API that clients send to chat as well."""
    if "max_output_tokens" in extra:
        limit = extra.pop("max_output_tokens")
        if type(limit) is not int:
            raise wrong_type("max_output_tokens", "an integer", limit)
        parameters.setdefault("max_completion_tokens", limit)
    reasoning = extra.get("reasoning")
    if isinstance(reasoning, dict) and isinstance(reasoning.get("effort"), str):
        del extra["reasoning"]
        parameters.setdefault("reasoning_effort", reasoning["effort"])
