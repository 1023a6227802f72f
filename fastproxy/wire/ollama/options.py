"""OpenAI's sampling parameters and a client's native fields as Ollama's `options`, `think` and `format`.

The law: how to sample is the client's to say; what belongs to the loaded model (`num_ctx` and its like) is
the operator's, because any change there makes Ollama load the model anew, for everybody.
Sources: Ollama's docs/modelfile.mdx and api/types.go (Options, Runner, ThinkValue), docs/api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.ollama.errors import BOOLEAN_THINKING, NO_THINKING
from fastproxy.wire.openai.faults import invalid, wrong_type

DEFAULT_NUM_CTX = 32_768

_SAME_NAME = ("temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty")
_NATIVE_OPTIONS = frozenset(
    [
        "top_k",
        "min_p",
        "typical_p",
        "repeat_penalty",
        "repeat_last_n",
        "num_predict",
        "num_keep",
        "mirostat",
        "mirostat_eta",
        "mirostat_tau",
        "tfs_z",
        "penalize_newline",
    ]
)
_RUNNER_OPTIONS = frozenset(
    [
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "use_mmap",
        "use_mlock",
        "num_thread",
        "numa",
        "low_vram",
        "f16_kv",
        "vocab_only",
        "draft_num_predict",
    ]
)
_RUNNER_REASON = "it belongs to the loaded model and is set by the operator (a change reloads the model)"

_THINK: dict[str, bool | str] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "ultra": "max",
    "max": "max",
}
_LEVELS = ("low", "medium", "high", "max")

_TRANSLATED = frozenset(_SAME_NAME) | frozenset(
    ["max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "response_format", "reasoning_effort"]
)
_HARMLESS: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "logit_bias": ({},),
    "metadata": ({},),
    "modalities": (["text"], []),
}
"""Values that ask for what Ollama does anyway."""
_REASONS = {
    "n": "Ollama makes one answer to a request",
    "parallel_tool_calls": "Ollama cannot hold a model to one tool call",
}


def num_ctx_of(options: Mapping[str, Any], model: str) -> int:
    """The context length in tokens that every request to this model carries: constant per model."""
    own = own_num_ctx_of(options, model)
    return own if own is not None else options.get("num_ctx", DEFAULT_NUM_CTX)


def own_num_ctx_of(options: Mapping[str, Any], model: str) -> int | None:
    """The context length that the operator set for this very model, with or without its `:latest`."""
    by_model: Mapping[str, int] = options.get("num_ctx_by_model") or {}
    return by_model.get(model, by_model.get(model.removesuffix(":latest")))


def sampling_options(request: ChatRequest, dropped: list[Dropped]) -> Json:
    """Ollama's `options` but for `num_ctx`. OpenAI's own parameters win over native ones."""
    native = request.extra.get("options", {})
    if not isinstance(native, dict):
        raise wrong_type("options", "an object of Ollama's options", native)
    given = {**native, **{name: value for name, value in request.extra.items() if name in _NATIVE_OPTIONS}}
    for name in sorted(_RUNNER_OPTIONS & (given.keys() | request.extra.keys())):
        dropped.append(Dropped(name, _RUNNER_REASON))
        given.pop(name, None)
    given |= {name: request.parameters[name] for name in _SAME_NAME if name in request.parameters}
    if (limit := request.max_output_tokens()) is not None:
        given["num_predict"] = limit
    return given


def logprobs_fields(request: ChatRequest) -> Json:
    """`logprobs` and `top_logprobs`, which stand beside `options`; {} where they were not asked for."""
    if not request.parameters.get("logprobs"):
        return {}
    top = request.parameters.get("top_logprobs")
    return {"logprobs": True} if top is None else {"logprobs": True, "top_logprobs": top}


def think_of(request: ChatRequest) -> bool | str | None:
    """Ollama's `think`: a level, true, false, or None to leave it to the model."""
    if NO_THINKING in request.repairs:
        return None
    native = request.extra.get("think")
    think = (
        _native_think(native) if native is not None else _effort(request.parameters.get("reasoning_effort"))
    )
    return bool(think) if think is not None and BOOLEAN_THINKING in request.repairs else think


def _native_think(value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value in _LEVELS):
        return value
    raise invalid("think", f"`think` must be true, false or one of {', '.join(_LEVELS)}.")


def _effort(effort: object) -> bool | str | None:
    if effort is None:
        return None
    if not isinstance(effort, str) or effort not in _THINK:
        raise invalid("reasoning_effort", f"`reasoning_effort` must be one of {', '.join(_THINK)}.")
    return _THINK[effort]


def format_of(request: ChatRequest) -> str | Json | None:
    """Ollama's `format`: "json", a JSON schema, or None for free text."""
    wanted = request.parameters.get("response_format")
    if wanted is None:
        return _native_format(request.extra.get("format"))
    match wanted:
        case {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
        case {"type": "json_schema", "json_schema": dict(described)} if "schema" not in described:
            return "json"
    raise invalid("response_format", "`response_format.type` must be text, json_object or json_schema.")


def _native_format(value: object) -> str | Json | None:
    if value is None or value == "":
        return None
    if value == "json":
        return "json"
    if isinstance(value, dict):
        return value
    raise invalid("format", '`format` must be "json" or a JSON schema object.')


def drop_others(request: ChatRequest, dropped: list[Dropped]) -> None:
    """Name the parameters that Ollama has no equivalent for. Raises where leaving one out would lie."""
    for name, value in request.parameters.items():
        if name in _TRANSLATED or value in _HARMLESS.get(name, ()):
            continue
        if name in ("audio", "modalities"):
            raise invalid(name, f"Ollama answers with text only: leave `{name}` out.")
        dropped.append(Dropped(name, _REASONS.get(name, "Ollama has no such parameter")))
