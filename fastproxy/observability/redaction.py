"""What must not stand in a log: secrets, and images that would fill it. Works on text, whatever its format.

A secret is recognised by its value (the keys of this configuration), by its look (keys of the known makers,
bearer tokens, JSON Web Tokens, private keys) or by the name of the field it stands in. Text that a model
streams word by word is not put together again: a secret in pieces is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[redacted]"
LEAST_SECRET = 6
"""Characters: configured secrets that are shorter would hide half of the text."""
_LONG = 200
"""Characters of base64 in a row that are no words: an image, a file, a signature."""

_FIELDS = (
    "authorization|proxy-authorization|cookie|password|passwd|secret|credentials?|"
    r"(?:x-)?(?:goog-)?api[-_]?key|(?:access|refresh|id|auth|bearer|session)[-_]?token|"
    r"client[-_]?secret|private[-_]?key|aws[-_]secret[-_]access[-_]key"
)
_FIELD = re.compile(rf'((?<!\\)\\*"(?:{_FIELDS})\\*"\s*:\s*)(\\*").*?(?:(?<!\\)(?=\2)|\Z)', re.IGNORECASE)
"""`"name": "value`, inside of a JSON string too (its quotes are escaped there), or without an end."""
_LOOKS = re.compile(
    r"\b(?:sk|pk|rk|ak)-[A-Za-z0-9_-]{6,}"  # OpenAI, Anthropic, DeepSeek and their imitators
    r"|\bAIza[A-Za-z0-9_-]{20,}|\bya29\.[A-Za-z0-9_.-]+|\bGOCSPX-[A-Za-z0-9_-]+"  # Google
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # AWS
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|hf_|xox[abprs]-)[A-Za-z0-9_-]{10,}"  # forges, Hugging Face, Slack
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"  # JSON Web Tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_BEARER = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{_LONG},}}={{0,2}}")


class Redactor:
    """Made once, of the secrets that this process knows."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= LEAST_SECRET}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def redact(self, text: str) -> str:
        """The text without secrets; of long base64 the beginning, and how long it was."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _BASE64.sub(_shortened, text)
        text = _FIELD.sub(rf"\1\2{HIDDEN}", text)
        text = _LOOKS.sub(HIDDEN, text)
        return _BEARER.sub(rf"\1 {HIDDEN}", text)


def _shortened(match: re.Match[str]) -> str:
    return f"{match[0][:16]}…[{len(match[0])} characters of base64]"
