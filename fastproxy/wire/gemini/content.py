"""OpenAI content parts in, Gemini parts out. Nothing is ever fetched: an address stays an address."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes, urlsplit

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Json

_DATA_URL = re.compile(r"data:([^;,]*)((?:;[^;,]*)*?)(;base64)?,", re.IGNORECASE)
_SCHEMES = ("https://", "http://", "gs://")
_AUDIO = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_MIME_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "avif": "image/avif",
    "svg": "image/svg+xml",
    "pdf": "application/pdf", "json": "application/json", "txt": "text/plain", "md": "text/markdown",
    "csv": "text/csv", "html": "text/html", "htm": "text/html", "xml": "text/xml",
    "mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "m4a": "audio/mp4",
    "aac": "audio/aac", "opus": "audio/opus",
    "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm", "mpeg": "video/mpeg",
    "mpg": "video/mpeg", "avi": "video/x-msvideo", "mkv": "video/x-matroska", "3gp": "video/3gpp",
}  # fmt: skip


def invalid(message: str, param: str) -> ProxyError:
    """The error for a request that Gemini cannot be asked: names the field and the remedy."""
    return ProxyError(ErrorKind.INVALID_REQUEST, message, param=param)


def parts(content: object, param: str) -> list[Json]:
    """Gemini parts of a message's `content`; texts that say nothing are left out."""
    if content is None or isinstance(content, str):
        return [{"text": content}] if content else []
    if not isinstance(content, list):
        raise invalid(f"{param} must be a string or a list of content parts.", param)
    found = (_part(item, f"{param}[{index}]") for index, item in enumerate(content))
    return [part for part in found if part]


def texts(content: object, param: str) -> list[str]:
    """The texts of a message's `content`, for places where Gemini takes nothing else."""
    return [part["text"] for part in parts(content, param) if "text" in part]


def _part(item: object, param: str) -> Json | None:
    if isinstance(item, str):
        return {"text": item} if item else None
    kind = item.get("type") if isinstance(item, dict) else None
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None or not isinstance(item, dict):
        known = ", ".join(_READERS)
        raise invalid(f"{param}: Vertex AI takes content parts of these types: {known}.", param)
    return reader(item, param)


def _text(item: Json, param: str) -> Json | None:
    text = item.get(item["type"])
    if not isinstance(text, str):
        raise invalid(f"{param} must hold a string.", param)
    return {"text": text} if text else None


def _media(default_type: str) -> Callable[[Json, str], Json]:
    def read(item: Json, param: str) -> Json:
        source = item.get(item["type"])
        source = {"url": source} if isinstance(source, str) else source
        url = source.get("url") if isinstance(source, dict) else None
        if not isinstance(url, str):
            raise invalid(f"{param} must hold a url.", param)
        return _from_url(url, source.get("format") if isinstance(source, dict) else None, default_type, param)

    return read


def _audio(item: Json, param: str) -> Json:
    audio = item.get("input_audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    kind = audio.get("format") if isinstance(audio, dict) else None
    if not isinstance(data, str) or not isinstance(kind, str):
        raise invalid(f"{param} must hold `data` (base64) and `format` (wav or mp3).", param)
    if data.startswith("data:"):
        return _from_url(data, None, "audio/wav", param)
    return _inline(_AUDIO.get(kind, f"audio/{kind}"), data)


def _file(item: Json, param: str) -> Json:
    file = item.get("file")
    file = file if isinstance(file, dict) else {}
    data, name, address = file.get("file_data"), file.get("filename"), file.get("file_id")
    mime_type = _guess(name) if isinstance(name, str) else None
    if isinstance(data, str) and data:
        if data.startswith(("data:", *_SCHEMES)):
            return _from_url(data, file.get("format"), mime_type or "application/pdf", param)
        return _inline(mime_type or "application/pdf", data)
    if isinstance(address, str) and address.startswith(_SCHEMES):
        return _from_url(address, file.get("format"), mime_type or "application/pdf", param)
    raise invalid(
        f"{param}: Vertex AI has no uploaded files; send `file_data`, or a gs:// or https:// `file_id`.",
        param,
    )


def _from_url(url: str, mime_type: object, default_type: str, param: str) -> Json:
    if url.startswith(_SCHEMES):
        known = mime_type if isinstance(mime_type, str) and mime_type else _guess(_path(url))
        return {"fileData": {"mimeType": known or default_type, "fileUri": url}}
    found = _DATA_URL.match(url)
    if found is None:
        raise invalid(f"{param}: the address must be a data:, https:// or gs:// URL.", param)
    data = url[found.end() :]
    if not found[3]:
        data = base64.b64encode(unquote_to_bytes(data.encode("utf-8", "replace"))).decode()
    return _inline(found[1] or default_type, data)


def _inline(mime_type: str, data: str) -> Json:
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # a host like "[": Google will say what it thinks of it
        return ""


def _guess(name: str) -> str | None:
    return _MIME_TYPES.get(name.rpartition(".")[2].lower())


_READERS: dict[str, Callable[[Json, str], Json | None]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _media("image/jpeg"),
    "video_url": _media("video/mp4"),
    "input_audio": _audio,
    "file": _file,
}
