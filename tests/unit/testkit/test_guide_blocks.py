"""The blocks of a guide: found wherever they stand, with the remarks that belong to them."""

from __future__ import annotations

import pytest

from testkit.guides.blocks import blocks
from testkit.guides.reading import read


def test_only_blocks_of_languages_that_are_tried_are_found() -> None:
    [block] = blocks("p.md", "text\n```sh\nls\n```\n```\nshown\n```\n```ts\nlet x;\n```\n")
    assert (block.language, block.text, block.line, block.remarks) == ("sh", "ls\n", 3, {})


def test_a_block_in_a_list_loses_its_indentation() -> None:
    [block] = blocks("p.md", "1. so\n\n   ```toml\n   [server]\n   port = 1\n   ```\n")
    assert block.text == "[server]\nport = 1\n"


def test_remarks_belong_to_the_block_after_them() -> None:
    text = "<!-- test: skip needs a cluster -->\n\n```sh\nkubectl\n```\n```sh\nls\n```\n"
    first, second = blocks("p.md", text)
    assert first.remarks == {"skip": "needs a cluster"}
    assert second.remarks == {}


def test_of_a_console_only_what_is_typed_is_tried() -> None:
    [block] = blocks("p.md", "```console\n$ echo hello\nhello\n$ ls\n```\n")
    assert block.commands == "echo hello\nls\n"


@pytest.mark.parametrize(
    "text",
    [
        "<!-- test: skip -->\n```sh\nls\n```\n",
        "<!-- test: skipped by me -->\n```sh\nls\n```\n",
        "<!-- test: fails -->\nsome words\n```sh\nls\n```\n",
    ],
    ids=["no reason", "no such remark", "no block after it"],
)
def test_a_remark_that_cannot_be_meant_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"^p\.md:"):
        blocks("p.md", text)


def test_a_configuration_with_a_wrong_key_is_refused() -> None:
    [good, bad] = blocks("p.md", "```toml\n[server]\nport = 1\n```\n```toml\n[server]\nprot = 1\n```\n")
    assert read(good) == "a valid configuration"
    with pytest.raises(Exception, match="did you mean 'port'"):
        read(bad)
