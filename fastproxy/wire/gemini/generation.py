"""OpenAI's parameters in, `generationConfig` out; what has no equivalent is named, never sent.

An unknown or ill-typed field is a 400 at Google, so every field is checked or made here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import orjson

from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.gemini.content import invalid
from fastproxy.wire.gemini.legacy_schema import legacy_schema
from fastproxy.wire.gemini.model import Model
from fastproxy.wire.gemini.schema import json_schema
from fastproxy.wire.gemini.thinking import thinking_config
from fastproxy.wire.gemini.tools import LEGACY_SCHEMA

NO_PENALTIES = "gemini.no_penalties"
"""The repair for models that refuse both penalties."""

_MAX_STOPS = 5
_MAX_CANDIDATES = 8
_MAX_TOP_LOGPROBS = 20
_NUMBERS = {
    "temperature": "temperature",
    "top_p": "topP",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
_SAMPLING = ("temperature", "top_p")
_PENALTIES = ("presence_penalty", "frequency_penalty")
_ELSEWHERE = frozenset(
    (
        "max_tokens", "max_completion_tokens", "reasoning_effort", "service_tier", "metadata",
        "web_search_options", "stream_options",
    )
)  # fmt: skip
"""Parameters that are read in other places: nothing to do and nothing to tell here."""
_WITHOUT_EFFECT: dict[str, tuple[object, ...]] = {
    "parallel_tool_calls": (True,),
    "store": (False,),
    "top_logprobs": (0,),
}
"""Values that ask for what happens anyway: not worth a word when there is no equivalent."""


@dataclass(slots=True)
class Generation:
    """What became of the parameters."""

    config: Json = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    instruction: str = ""
    """What could only be told to the model in words."""

    def drop(self, param: str, reason: str) -> None:
        self.dropped.append(Dropped(param, reason))


def generation(request: ChatRequest, model: Model, extensions: Json) -> Generation:
    """`generationConfig` with what was left out. Raises INVALID_REQUEST where a value is of a wrong type."""
    made = Generation()
    for name, value in request.parameters.items():
        if value is None or name in _ELSEWHERE:
            continue
        read = _READERS.get(name)
        if read is not None:
            read(made, name, value, request, model)
        elif value not in _WITHOUT_EFFECT.get(name, ()):
            made.drop(name, "Gemini has no equivalent.")
    limit = _limit(request)
    if limit is not None:
        made.config["maxOutputTokens"] = limit
    if "top_k" in extensions:
        made.config["topK"] = _number("top_k", extensions["top_k"])
    thinking, reason = thinking_config(request.parameters.get("reasoning_effort"), model, extensions)
    if thinking:
        made.config["thinkingConfig"] = thinking
    if reason:
        made.drop("reasoning_effort", reason)
    return made


def _limit(request: ChatRequest) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.parameters.get(name)
        if value is not None and (not _is_int(value) or value < 1):
            raise invalid(f"{name} must be a positive integer.", name)
    return request.max_output_tokens()


def _plain_number(made: Generation, name: str, value: object, request: ChatRequest, model: Model) -> None:
    number = _number(name, value)
    if name in _SAMPLING and model.fixed_sampling:
        made.drop(name, f"{model.name} samples in one fixed way.")
    elif name in _PENALTIES and NO_PENALTIES in request.repairs:
        made.drop(name, f"{model.name} takes no penalties.")
    else:
        made.config[_NUMBERS[name]] = number


def _seed(made: Generation, name: str, value: object, _request: ChatRequest, _model: Model) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("seed must be an integer.", name)
    made.config["seed"] = value & 0x7FFFFFFF  # Google's is an int32


def _stop(made: Generation, name: str, value: object, _request: ChatRequest, _model: Model) -> None:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise invalid("stop must be a string or a list of strings.", name)
    stops = [item for item in listed if item]
    if len(stops) > _MAX_STOPS:
        made.drop(name, f"Gemini takes {_MAX_STOPS} stop sequences; the others are left out.")
    if stops:
        made.config["stopSequences"] = stops[:_MAX_STOPS]


def _candidates(made: Generation, name: str, value: object, request: ChatRequest, model: Model) -> None:
    if not _is_int(value) or not 1 <= value <= _MAX_CANDIDATES:
        raise invalid(f"n must be an integer from 1 to {_MAX_CANDIDATES}.", name)
    if value == 1:
        return
    if request.stream and (model.version or (2, 0)) >= (3, 0):
        made.drop(name, f"{model.name} streams one answer only.")
    else:
        made.config["candidateCount"] = value


def _logprobs(made: Generation, name: str, value: object, request: ChatRequest, _model: Model) -> None:
    if not isinstance(value, bool):
        raise invalid("logprobs must be true or false.", name)
    if not value:
        return
    made.config["responseLogprobs"] = True
    top = request.parameters.get("top_logprobs")
    if top is not None and (not _is_int(top) or not 0 <= top <= _MAX_TOP_LOGPROBS):
        raise invalid(f"top_logprobs must be an integer from 0 to {_MAX_TOP_LOGPROBS}.", "top_logprobs")
    if top:
        made.config["logprobs"] = top


def _top_logprobs(made: Generation, name: str, value: object, request: ChatRequest, _model: Model) -> None:
    if value and request.parameters.get("logprobs") is not True:
        made.drop(name, "It needs logprobs: true.")


def _modalities(made: Generation, name: str, value: object, _request: ChatRequest, _model: Model) -> None:
    wanted = [item for item in value if item in ("text", "image")] if isinstance(value, list) else []
    if not wanted or wanted != value:
        raise invalid("modalities must be a list of text and image: Vertex AI chats know no other.", name)
    if "image" in wanted:
        made.config["responseModalities"] = [item.upper() for item in wanted]


def _response_format(made: Generation, name: str, value: object, request: ChatRequest, model: Model) -> None:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in ("text", "json_object", "json_schema"):
        raise invalid("response_format.type must be text, json_object or json_schema.", name)
    if kind == "text":
        return
    described = value.get("json_schema") if kind == "json_schema" else None
    schema = json_schema(described.get("schema") if isinstance(described, dict) else None)
    if request.tools and not model.mixes_tools:
        made.drop(name, f"{model.name} answers in JSON only without tools; it is asked for in words.")
        made.instruction = _in_words(schema)
        return
    made.config["responseMimeType"] = "application/json"
    if not schema:
        return
    if model.takes_json_schema and LEGACY_SCHEMA not in request.repairs:
        made.config["responseJsonSchema"] = schema
    else:
        made.config["responseSchema"] = legacy_schema(schema)


def _in_words(schema: Json) -> str:
    asked = "When you answer without calling a tool, answer with one JSON value and nothing else."
    if not schema:
        return asked
    try:
        return f"{asked} It must match this JSON schema: {orjson.dumps(schema).decode()}"
    except TypeError:
        raise invalid("response_format holds a number past 64 bits.", "response_format") from None


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(name: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} must be a number.", name)
    return value


_Reader = Callable[[Generation, str, Any, ChatRequest, Model], None]
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_NUMBERS, _plain_number),
    "seed": _seed,
    "stop": _stop,
    "n": _candidates,
    "logprobs": _logprobs,
    "top_logprobs": _top_logprobs,
    "modalities": _modalities,
    "response_format": _response_format,
}
