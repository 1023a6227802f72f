"""The old completions body, decoded from JSON, as a `ChatRequest`: its prompt is one message of the user's.

Providers that complete texts themselves find `prompt` and `suffix` in `extra`.
Source: `openai` Python SDK 3.54, `types/completion_create_params.py`.
"""

from __future__ import annotations

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.openai.faults import flag_in, invalid, model_of, object_in, text_of, wrong_type
from fastproxy.wire.openai.parameters import split_parameters

_OWN = ("best_of", "echo", "logprobs")
"""Parameters that chat does not have, or not of this type."""
_GAP = "<CURSOR>"
_FILL = f"Write the text that belongs at {_GAP}. Answer with that text alone, without quotes or fences.\n\n"


def parse_completions(body: Json) -> ChatRequest:
    """The request in `body`. Raises ProxyError (400)."""
    if not isinstance(body, dict):
        raise wrong_type("body", "a JSON object", body)
    prompt = _prompt(body.get("prompt"))
    suffix = text_of(body.get("suffix") or "", "suffix")
    known = {name: value for name, value in body.items() if name not in (*_OWN, "prompt", "suffix")}
    parameters, extra = split_parameters(known)
    own = {name: body[name] for name in _OWN if body.get(name) is not None}
    options = object_in(body, "stream_options")
    return ChatRequest(
        model=model_of(body.get("model")),
        messages=({"role": "user", "content": f"{_FILL}{prompt}{_GAP}{suffix}" if suffix else prompt},),
        stream=flag_in(body, "stream", "stream"),
        include_usage=flag_in(options, "include_usage", "stream_options.include_usage"),
        parameters=parameters,
        extra={**extra, **own, "prompt": prompt, **({"suffix": suffix} if suffix else {})},
    )


def _prompt(prompt: object) -> str:
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, list):
        raise invalid("prompt", "`prompt` must be one text: send one request for each, and no token numbers.")
    return text_of(prompt, "prompt")
