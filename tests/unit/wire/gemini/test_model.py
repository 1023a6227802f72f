"""What a model's name tells."""

from __future__ import annotations

import pytest

from fastproxy.wire.gemini.model import read_model


@pytest.mark.parametrize(
    ("name", "version", "thinking"),
    [
        ("gemini-3.5-flash", (3, 5), "level"),
        ("gemini-3-pro-preview", (3, 0), "level"),
        ("gemini-2.5-pro", (2, 5), "budget"),
        ("gemini-2.5-flash-lite-preview-09-2025", (2, 5), "budget"),
        ("gemini-2.5-flash-image", (2, 5), ""),
        ("gemini-2.0-flash-001", (2, 0), ""),
        ("gemini-1.5-pro-002", (1, 5), ""),
        ("gemini-flash-latest", None, "budget"),
        ("endpoints/123", None, ""),
    ],
)
def test_a_name_tells_version_and_the_way_of_thinking(
    name: str, version: tuple[int, int] | None, thinking: str
) -> None:
    model = read_model(name)
    assert (model.version, model.thinking) == (version, thinking)


def test_only_models_before_two_need_the_older_schema_dialect() -> None:
    assert not read_model("gemini-1.5-pro").takes_json_schema
    assert read_model("gemini-2.0-flash").takes_json_schema
    assert read_model("some-alias").takes_json_schema


def test_two_models_sample_in_a_fixed_way() -> None:
    assert read_model("gemini-3.6-flash").fixed_sampling
    assert read_model("gemini-3.5-flash-lite").fixed_sampling
    assert not read_model("gemini-3.5-flash").fixed_sampling
