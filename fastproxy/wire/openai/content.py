"""Content parts of every shape (OpenAI chat, OpenAI Responses, Anthropic) as OpenAI's chat content parts."""

from __future__ import annotations

from collections.abc import Callable

from fastproxy.types import Json
from fastproxy.wire.openai.faults import invalid, text_of, wrong_type

_TEXTS = ("text", "input_text", "output_text")


def parse_parts(content: object, param: str) -> list[Json]:
    """The content list at `param`, each part in OpenAI's form; a part that is so already stays the same."""
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content parts", content)
    return [_part(part, f"{param}[{index}]") for index, part in enumerate(content)]


def flatten(content: object, param: str) -> tuple[str, list[Json]]:
    """(the text, the parts that are no text) of a content that must be text at most providers."""
    if content is None:
        return "", []
    if isinstance(content, str):
        return content, []
    parts = parse_parts(content, param)
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "".join(texts), [part for part in parts if part["type"] != "text"]


def _part(part: object, param: str) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, dict):
        raise wrong_type(param, "an object with a `type`", part)
    kind = part.get("type")
    if kind in _TEXTS:
        text_of(part.get("text"), f"{param}.text")
        return part if kind == "text" else {**part, "type": "text"}
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = "text, image_url, input_audio, file"
        raise invalid(f"{param}.type", f"`{param}.type` is not known. Use one of: {known}.")
    return reader(part, param)


def _image_url(part: Json, param: str) -> Json:
    image = part.get("image_url")
    if isinstance(image, dict):
        text_of(image.get("url"), f"{param}.image_url.url")
        return part
    return {**part, "image_url": {"url": text_of(image, f"{param}.image_url")}}


def _input_image(part: Json, param: str) -> Json:
    image = part.get("image_url")
    url: Json = image if isinstance(image, dict) else {"url": image}
    text_of(url.get("url"), f"{param}.image_url")
    if isinstance(part.get("detail"), str):
        url = {"detail": part["detail"], **url}
    return {"type": "image_url", "image_url": url}


def _image(part: Json, param: str) -> Json:
    return _kept(part, {"type": "image_url", "image_url": {"url": _source_url(part, param)}})


def _document(part: Json, param: str) -> Json:
    source = part.get("source")
    if isinstance(source, dict) and source.get("type") == "text":
        return _kept(part, {"type": "text", "text": text_of(source.get("data"), f"{param}.source.data")})
    title = part.get("title")
    name = title if isinstance(title, str) else "document.pdf"
    return _kept(part, {"type": "file", "file": {"filename": name, "file_data": _source_url(part, param)}})


def _source_url(part: Json, param: str) -> str:
    """The URL of an Anthropic `source`: its own, or a data URL."""
    source = part.get("source")
    if not isinstance(source, dict):
        raise wrong_type(f"{param}.source", "an object", source)
    if source.get("type") == "url":
        return text_of(source.get("url"), f"{param}.source.url")
    media = text_of(source.get("media_type"), f"{param}.source.media_type")
    return f"data:{media};base64,{text_of(source.get('data'), f'{param}.source.data')}"


def _kept(part: Json, made: Json) -> Json:
    return {**made, "cache_control": part["cache_control"]} if "cache_control" in part else made


def _input_audio(part: Json, param: str) -> Json:
    audio = part.get("input_audio")
    if not isinstance(audio, dict):
        raise wrong_type(f"{param}.input_audio", "an object with `data` and `format`", audio)
    text_of(audio.get("data"), f"{param}.input_audio.data")
    text_of(audio.get("format"), f"{param}.input_audio.format")
    return part


def _file(part: Json, param: str) -> Json:
    file = part.get("file")
    if not isinstance(file, dict):
        raise wrong_type(f"{param}.file", "an object with `file_data` or `file_id`", file)
    _check_file(file, f"{param}.file")
    return part


def _input_file(part: Json, param: str) -> Json:
    file = {name: part[name] for name in ("file_data", "file_id", "filename") if part.get(name) is not None}
    if "file_data" not in file and isinstance(part.get("file_url"), str):
        file["file_data"] = part["file_url"]
    _check_file(file, param)
    return {"type": "file", "file": file}


def _check_file(file: Json, param: str) -> None:
    for name in ("file_data", "file_id", "filename"):
        if file.get(name) is not None:
            text_of(file[name], f"{param}.{name}")
    if file.get("file_data") is None and file.get("file_id") is None:
        raise invalid(param, f"`{param}` must hold `file_data` (a data URL) or `file_id`.")


def _refusal(part: Json, param: str) -> Json:
    text_of(part.get("refusal"), f"{param}.refusal")
    return part


_READERS: dict[str, Callable[[Json, str], Json]] = {
    "image_url": _image_url,
    "input_image": _input_image,
    "image": _image,
    "document": _document,
    "input_audio": _input_audio,
    "file": _file,
    "input_file": _input_file,
    "refusal": _refusal,
}
