"""Gemini's grounding and citations as OpenAI's `url_citation` annotations.

Google counts UTF-8 bytes, OpenAI counts characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastproxy.types import Json


def url_citations(text: str, grounding: object, citations: list[Json]) -> tuple[Json, ...]:
    """The annotations of a whole text: from `groundingMetadata`, then from `citationMetadata`'s items."""
    encoded = text.encode("utf-8", "replace")
    found: dict[tuple[Any, ...], Json] = {}
    for segment, url, title in (*_grounded(grounding), *_cited(citations)):
        start, end = (
            _characters(encoded, segment.get("startIndex")),
            _characters(encoded, segment.get("endIndex")),
        )
        citation = {"url": url, "title": title, "start_index": start, "end_index": end}
        found.setdefault((url, start, end), {"type": "url_citation", "url_citation": citation})
    return tuple(found.values())


def _grounded(grounding: object) -> Iterator[tuple[Json, str, str]]:
    if not isinstance(grounding, dict):
        return
    sources = _list(grounding.get("groundingChunks"))
    for support in _list(grounding.get("groundingSupports")):
        segment = support.get("segment") if isinstance(support, dict) else None
        for index in _list(support.get("groundingChunkIndices")) if isinstance(segment, dict) else ():
            source = sources[index] if isinstance(index, int) and 0 <= index < len(sources) else None
            place = _place(source)
            if place and isinstance(segment, dict):
                yield segment, *place


def _cited(citations: list[Json]) -> Iterator[tuple[Json, str, str]]:
    for citation in citations:
        url = citation.get("uri")
        if isinstance(url, str) and url:
            yield citation, url, str(citation.get("title") or url)


def _place(source: object) -> tuple[str, str] | None:
    """(url, title) of a grounding chunk: web, retrievedContext and maps have the same shape."""
    for kind in source.values() if isinstance(source, dict) else ():
        url = kind.get("uri") if isinstance(kind, dict) else None
        if isinstance(url, str) and url:
            return url, str(kind.get("title") or url)
    return None


def _characters(encoded: bytes, offset: object) -> int:
    count = offset if isinstance(offset, int) and offset > 0 else 0
    return len(encoded[:count].decode("utf-8", "ignore"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
