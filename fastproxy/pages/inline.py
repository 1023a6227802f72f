"""Makes one document of a page's files, and the Content-Security-Policy that allows just these.

A page names its files as any page does (`<link rel="stylesheet" href="style.css">`,
`<script src="main.js"></script>`); each is put in its place, and allowed by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files

_STYLE = re.compile(r'<link rel="stylesheet" href="([\w.-]+)">')
_SCRIPT = re.compile(r'<script src="([\w.-]+)"></script>')


def load_page(name: str, words: Mapping[str, str]) -> tuple[str, str]:
    """The page of this folder as one document, `{{WORD}}` in it replaced, and its policy."""
    folder = files("fastproxy.pages").joinpath(name)
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def inline(tag: str, file: str) -> str:
        text = folder.joinpath(file).read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[tag].append(f"'sha256-{digest}'")
        return f"<{tag}>{text}</{tag}>"

    html = folder.joinpath("index.html").read_text("utf-8")
    for word, value in words.items():
        html = html.replace("{{" + word + "}}", value)
    html = _STYLE.sub(lambda match: inline("style", match[1]), html)
    html = _SCRIPT.sub(lambda match: inline("script", match[1]), html)
    return html, _policy(hashes)


def _policy(hashes: Mapping[str, list[str]]) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {' '.join(hashes['style'])}",
            f"script-src {' '.join(hashes['script'])}",
            "connect-src 'self'",
            "img-src data:",  # its icon
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",  # text becomes no markup, whatever a model says
        )
    )
