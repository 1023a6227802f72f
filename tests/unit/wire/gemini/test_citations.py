"""Citations."""

from __future__ import annotations

from typing import Any

import pytest

from fastproxy.wire.gemini.citations import url_citations


def test_byte_offsets_become_character_offsets() -> None:
    text = "Zürich ist schön."
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://e.org/z", "title": "Z"}},
            {"retrievedContext": {"uri": "gs://b/d"}},
        ],
        "groundingSupports": [
            {
                "segment": {"startIndex": 8, "endIndex": 19, "text": "ist schön."},
                "groundingChunkIndices": [0, 1, 9],
            }
        ],
    }
    items = url_citations(text, grounding, [])
    first, second = (item["url_citation"] for item in items)
    assert text[first["start_index"] : first["end_index"]] == "ist schön."
    assert (first["url"], first["title"]) == ("https://e.org/z", "Z")
    assert (second["url"], second["title"]) == ("gs://b/d", "gs://b/d")


def test_citation_metadata_counts_too_and_nothing_is_said_twice() -> None:
    citation = {"startIndex": 0, "endIndex": 2, "uri": "https://e.org"}
    items = url_citations("abc", None, [citation, citation, {"title": "no address"}])
    assert items == (
        {
            "type": "url_citation",
            "url_citation": {
                "url": "https://e.org",
                "title": "https://e.org",
                "start_index": 0,
                "end_index": 2,
            },
        },
    )


@pytest.mark.parametrize(
    "grounding",
    [{}, {"groundingSupports": [{"segment": {}, "groundingChunkIndices": [0]}]}, {"groundingSupports": {}}, 3,
     {"groundingSupports": [7], "groundingChunks": [7]}],
)  # fmt: skip
def test_grounding_without_sources_cites_nothing(grounding: Any) -> None:
    assert url_citations("abc", grounding, []) == ()
