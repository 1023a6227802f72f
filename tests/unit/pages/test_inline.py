"""A page's files become one document, and its policy allows exactly these."""

from __future__ import annotations

import base64
import hashlib
import re

from fastproxy.pages.inline import load_page


def test_the_page_is_one_document_that_loads_nothing() -> None:
    html, _ = load_page("status", {"HAS_KEYS": "true"})
    assert 'data-has-keys="true"' in html
    assert "{{" not in html
    assert not re.search(r'<script src|<link rel="stylesheet"|@import|url\(', html)
    outside = set(re.findall(r"https?://[^\s'\"]+", html))
    assert outside == {"http://www.w3.org/2000/svg"}  # a name, not an address


def test_the_policy_allows_each_file_by_its_hash_and_nothing_else() -> None:
    html, policy = load_page("status", {})
    for tag in ("style", "script"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        allowed = set(re.findall(r"'(sha256-[^']+)'", policy.split(f"{tag}-src")[1].split(";")[0]))
        digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts}
        assert texts
        assert allowed == {f"sha256-{digest}" for digest in digests}
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_no_script_makes_markup_of_text() -> None:
    html, _ = load_page("status", {})
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", html)
