"""OpenAI's sampling and other parameters as Anthropic's; what has no equivalent is named, never hidden.

Source: Anthropic's Messages reference; SDK type MessageCreateParams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import ChatRequest, Dropped, Json
from fastproxy.wire.anthropic.models import Model
from fastproxy.wire.anthropic.values import invalid, number_of, object_of, text_of

NATIVE_FIELDS = (
    "cache_control",
    "context_management",
    "mcp_servers",
    "container",
    "speed",
    "inference_geo",
)
"""Anthropic's own fields that a client may add to an OpenAI request; passed on as they are.
(`thinking`, `output_config`, `top_k` and `anthropic_beta` are too, each where it belongs.)"""

_SERVICE_TIERS = {
    "auto": "auto",
    "priority": "auto",
    "default": "standard_only",
    "standard_only": "standard_only",
}
_TRANSLATED = frozenset(
    {
        "temperature",
        "top_p",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "parallel_tool_calls",
        "user",
        "safety_identifier",
        "metadata",
        "service_tier",
        "response_format",
        "reasoning_effort",
        "web_search_options",
        "stream_options",
    }
)
_HARMLESS: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "store": (False,),
    "modalities": (["text"],),
}
"""Values that ask for what Anthropic does anyway."""


def sampling_fields(request: ChatRequest, model: Model, thinking: bool) -> tuple[Json, list[Dropped]]:
    """temperature (0 to 1), top_p and top_k, as far as the model takes them."""
    places = {"temperature": request.parameters, "top_p": request.parameters, "top_k": request.extra}
    wanted = {key: place.get(key) for key, place in places.items()}
    values = {key: number_of(value, key) for key, value in wanted.items() if value is not None}
    if thinking or model.sampling == "none":
        reason = "not taken together with thinking" if thinking else "this model sets its own sampling"
        lost = [key for key, value in values.items() if key == "top_k" or value != 1]
        return {}, [Dropped(key, reason) for key in lost]
    dropped = []
    if not 0 <= values.get("temperature", 0) <= 1:
        values["temperature"] = min(max(values["temperature"], 0.0), 1.0)
        dropped.append(Dropped("temperature", "brought into Anthropic's range of 0 to 1"))
    if model.sampling == "one" and "temperature" in values and values.pop("top_p", 1) != 1:
        dropped.append(Dropped("top_p", "this model takes temperature or top_p, not both"))
    return values, dropped


def other_fields(request: ChatRequest) -> tuple[Json, list[Dropped]]:
    """stop_sequences, metadata, service_tier and Anthropic's own fields."""
    body: Json = {key: request.extra[key] for key in NATIVE_FIELDS if request.extra.get(key) is not None}
    dropped: list[Dropped] = []
    for translate in (_stop, _user, _service_tier):
        field, value, lost = translate(request.parameters)
        if value:
            body[field] = value
        if lost:
            dropped.append(lost)
    return body, [*dropped, *_untranslatable(request)]


_Translated = tuple[str, object, Dropped | None]
_Translate = Callable[[Json], _Translated]


def _stop(parameters: Json) -> _Translated:
    stop = parameters.get("stop")
    listed = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        invalid("`stop` must be a string or a list of strings.", "stop")
    usable = [text for text in listed if text.strip()]
    lost = Dropped("stop", "Anthropic refuses stop sequences of white space only")
    return "stop_sequences", usable, lost if len(usable) < len(listed) else None


def _user(parameters: Json) -> _Translated:
    metadata = object_of(parameters.get("metadata"))
    candidates = (parameters.get("user"), parameters.get("safety_identifier"), metadata.get("user_id"))
    user = next((text for text in map(text_of, candidates) if text), "")
    lost = Dropped("metadata", "Anthropic keeps a user id only") if metadata.keys() - {"user_id"} else None
    return "metadata", {"user_id": user} if user else None, lost


def _service_tier(parameters: Json) -> _Translated:
    tier = text_of(parameters.get("service_tier"))
    known = _SERVICE_TIERS.get(tier)
    lost = Dropped("service_tier", f"Anthropic has no tier {tier!r}") if tier and not known else None
    return "service_tier", known, lost


def _untranslatable(request: ChatRequest) -> Iterator[Dropped]:
    modalities = request.parameters.get("modalities")
    if isinstance(modalities, list) and any(modality != "text" for modality in modalities):
        message = "Claude answers in text only; leave `modalities` out."
        raise ProxyError(ErrorKind.UNSUPPORTED_PARAMETER, message, param="modalities")
    for key, value in request.parameters.items():
        if key not in _TRANSLATED and value not in _HARMLESS.get(key, ()):
            yield Dropped(key, "Anthropic has no equivalent")
