"""OpenAI's content parts become Anthropic's content blocks; empty text never does (it is a 400 there).

Sources: Anthropic's Messages reference; SDK types TextBlockParam, ImageBlockParam, DocumentBlockParam.
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from fastproxy.types import Json
from fastproxy.wire.anthropic.values import invalid, object_of, text_of

NATIVE_BLOCKS = frozenset({"image", "document", "search_result"})
"""Anthropic's own blocks that clients put among OpenAI's parts; they are passed on as they are."""
_IMAGE_TYPES = {
    "image/jpeg": "image/jpeg",
    "image/jpg": "image/jpeg",
    "image/png": "image/png",
    "image/gif": "image/gif",
    "image/webp": "image/webp",
}
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_PDF = "application/pdf"


def text_block(text: str, source: Json | None = None) -> Json:
    """One text block; `source` is the part or message whose `cache_control` it inherits."""
    return with_cache_control({"type": "text", "text": text}, source or {})


def with_cache_control(block: Json, source: Json) -> Json:
    """The block with the `cache_control` of the part, message or tool that it was made from; OpenAI's own
    mark, `prompt_cache_breakpoint`, says the same."""
    mark = source.get("cache_control")
    if not isinstance(mark, dict):
        mark = {"type": "ephemeral"} if source.get("prompt_cache_breakpoint") else None
    return {**block, "cache_control": mark} if mark else block


def text_blocks(content: object) -> list[Json]:
    """The text of a system or assistant message as blocks; Claude takes nothing else there."""
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    parts = content if isinstance(content, list) else []
    blocks = (_text_part(part) for part in parts if isinstance(part, dict))
    return [block for block in blocks if block is not None]


def _text_part(part: Json) -> Json | None:
    text = text_of(part.get(_TEXT_PARTS.get(text_of(part.get("type")), "")))
    return text_block(text, part) if text.strip() else None


def user_blocks(content: object, where: str) -> list[Json]:
    """The blocks of a user message. Raises ProxyError for parts that Claude cannot read."""
    if content is None or isinstance(content, str):
        return text_blocks(content)
    if not isinstance(content, list):
        invalid(f"`{where}.content` must be a string or a list of parts.", f"{where}.content")
    blocks = (_block(part, f"{where}.content[{index}]") for index, part in enumerate(content))
    return [block for block in blocks if block is not None]


def _block(part: object, where: str) -> Json | None:
    if not isinstance(part, dict):
        invalid(f"`{where}` must be an object with a `type`.", where)
    kind = text_of(part.get("type"))
    if kind in _TEXT_PARTS:
        return _text_part(part)
    if kind in NATIVE_BLOCKS:
        return part
    build = _BUILDERS.get(kind)
    if build is None:
        invalid(
            f"Claude cannot read content of type {kind[:40]!r}; send text, image_url or file parts.", where
        )
    return with_cache_control(build(part, where), part)


def _image(part: Json, where: str) -> Json:
    image = part.get("image_url")
    url = text_of(image.get("url") if isinstance(image, dict) else image)
    where = f"{where}.image_url"
    if url.startswith("data:"):
        return _inline(url, where)
    if not url.startswith("https://"):
        invalid("Claude takes images as `data:` URLs (base64) or public `https://` URLs only.", where)
    return {"type": "image", "source": {"type": "url", "url": url}}


def _file(part: Json, where: str) -> Json:
    file = object_of(part.get("file"))
    data, name = text_of(file.get("file_data")), text_of(file.get("filename"))
    where = f"{where}.file"
    if not data:
        invalid("Files stored at OpenAI (`file_id`) cannot be read by Claude; send `file_data`.", where)
    block = _inline(data if data.startswith("data:") else f"data:{_PDF};base64,{data}", where)
    return {**block, "title": name} if name and block["type"] == "document" else block


def _audio(_part: Json, where: str) -> Json:
    invalid("Claude cannot listen to audio; send a transcript as text.", where)


_BUILDERS = {"image_url": _image, "file": _file, "input_audio": _audio}


def _inline(url: str, where: str) -> Json:
    """The block for a `data:` URL: an image, a PDF or a plain text document."""
    head, comma, data = url[len("data:") :].partition(",")
    media_type, *options = head.split(";")
    media_type = media_type.strip().lower()
    encoded = any(option.strip().lower() == "base64" for option in options)
    if not comma or not data:
        invalid("The `data:` URL is empty or has no comma.", where)
    if media_type.startswith("text/"):
        text = _decoded(data, encoded, where)
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}
    if not encoded:
        invalid("The `data:` URL must be base64.", where)
    if media_type == _PDF:
        return {"type": "document", "source": {"type": "base64", "media_type": _PDF, "data": data}}
    if media_type not in _IMAGE_TYPES:
        invalid(f"Claude cannot read {media_type[:40]!r}; send JPEG, PNG, GIF, WebP, PDF or text.", where)
    source = {"type": "base64", "media_type": _IMAGE_TYPES[media_type], "data": data}
    return {"type": "image", "source": source}


def _decoded(data: str, encoded: bool, where: str) -> str:
    try:
        raw = base64.b64decode(data) if encoded else unquote_to_bytes(data)
        text = raw.decode()
    except (binascii.Error, ValueError):
        invalid("The text file is not valid base64 of UTF-8.", where)
    if not text.strip():
        invalid("The text file is empty.", where)
    return text
