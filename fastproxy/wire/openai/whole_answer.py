"""OpenAI-format unary answers on their way through: checked, changed only where clients would trip."""

from __future__ import annotations

import orjson

from fastproxy.types import ChatRequest, Json
from fastproxy.wire.answer import WholeAnswer
from fastproxy.wire.events import Carry
from fastproxy.wire.openai.chunks import finish_reason, full_usage, usage_of
from fastproxy.wire.openai.errors import bad_response, error_in_answer
from fastproxy.wire.openai.passthrough import encode_answer, made_id
from fastproxy.wire.openai.reasoning import ReasoningKeeper


def read_completion(body: bytes) -> Json:
    """The `chat.completion` in a 200 body (DeepSeek sends blank lines before it while it waits). Raises
    UpstreamError for an error or garbage."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_response("the body is no JSON.") from error
    if not isinstance(answer, dict):
        raise bad_response("the body is no JSON object.")
    if answer.get("error") is not None:
        raise error_in_answer(answer["error"])
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise bad_response("the body has no `choices`.")
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise bad_response("a choice has no `message`.")
    return answer


def pass_completion(request: ChatRequest, body: bytes) -> WholeAnswer:
    """The body for the client: the same bytes where they are right already."""
    answer = read_completion(body)
    fixed = _identity(answer, request)
    choices = answer["choices"]
    settled = [_choice(choice, index) for index, choice in enumerate(choices)]
    if settled != choices:
        fixed["choices"] = settled
    usage = answer.get("usage")
    if isinstance(usage, dict) and (full := full_usage(usage)) is not usage:
        fixed["usage"] = usage = full
    return WholeAnswer(
        encode_answer({**answer, **fixed}) if fixed else body.strip(),
        usage_of(usage) if isinstance(usage, dict) else None,
        str(choices[0].get("finish_reason") or ""),
        _carries(request, choices[0]["message"]) if request.tools else (),
    )


def _carries(request: ChatRequest, message: Json) -> tuple[Carry, ...]:
    keeper = ReasoningKeeper(request)
    return (*keeper.add(message), *keeper.end())


def _identity(answer: Json, request: ChatRequest) -> Json:
    """The fields beside `choices` that are missing or wrong."""
    fixed: Json = {}
    if not isinstance(answer.get("id"), str) or not answer["id"]:
        fixed["id"] = made_id()
    if answer.get("object") != "chat.completion":
        fixed["object"] = "chat.completion"
    if type(answer.get("created")) is not int:
        fixed["created"] = 0
    model = request.model or str(answer.get("model") or "")
    if answer.get("model") != model:
        fixed["model"] = model
    return fixed


def _choice(choice: Json, place: int) -> Json:
    """The choice with a legal finish reason, an index and a whole message; the same where it has them."""
    message: Json = choice["message"]
    native = choice.get("finish_reason")
    reason = finish_reason(native if isinstance(native, str) else "", bool(message.get("tool_calls")))
    fixed: Json = {}
    if reason != native:
        fixed["finish_reason"] = reason
    if type(choice.get("index")) is not int:
        fixed["index"] = place
    if "role" not in message or "content" not in message:
        fixed["message"] = {"role": "assistant", "content": None, **message}
    return {**choice, **fixed} if fixed else choice
