"""One node of a schema."""

from __future__ import annotations

from fastproxy.wire.gemini.schema_node import dereferenced, described, finished, resolve, unite


def test_a_pointer_is_followed_through_escapes_and_lists() -> None:
    root = {"$defs": {"a/b": {"anyOf": [{"x": 1}]}, "L[int]": {"y": 2}}}
    assert resolve(root, "#/$defs/a~1b/anyOf/0") == {"x": 1}
    assert resolve(root, "#/$defs/L%5Bint%5D") == {"y": 2}
    assert resolve(root, "#") == root
    assert resolve(root, "#/$defs/none") is None
    assert resolve(root, "other.json#/a") is None


def test_a_chain_of_references_without_an_end_says_nothing() -> None:
    root = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}
    assert dereferenced(root, {"$ref": "#/a"}) == {}


def test_uniting_keeps_the_first_word_and_both_properties() -> None:
    merged = {"type": "object", "properties": {"a": 1}, "required": ["a"]}
    unite(merged, {"type": "string", "properties": {"a": 2, "b": 3}, "required": ["a", "b"]})
    assert merged == {"type": "object", "properties": {"a": 1, "b": 3}, "required": ["a", "b"]}


def test_a_long_hint_is_cut() -> None:
    told = described({}, {"default": "x" * 1000})["description"]
    assert len(told) < 250


def test_an_enum_with_an_object_in_it_is_no_enum() -> None:
    assert finished({}, {"type": "string", "enum": ["a", {}]}) == {"type": "string"}
