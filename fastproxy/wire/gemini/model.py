"""What a Gemini model's name tells about the dialect it speaks; the only place that reads such names."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"gemini-(\d+)(?:\.(\d+))?(?![\d.])")
_FIXED_SAMPLING = re.compile(r"gemini-3\.(?:5-flash-lite|6-flash)(?![a-z])")
_NO_THINKING = re.compile(r"image|tts|live|embedding")


@dataclass(frozen=True, slots=True)
class Model:
    """The traits of one model. An unknown name (an alias, a tuned endpoint) is taken for a newer model."""

    name: str
    version: tuple[int, int] | None
    """(3, 5) for gemini-3.5-flash; None where the name does not tell."""

    @property
    def takes_json_schema(self) -> bool:
        """`parametersJsonSchema` and `responseJsonSchema` exist (Gemini 2.0 and later)."""
        return self.version is None or self.version >= (2, 0)

    @property
    def thinking(self) -> str:
        """How much it thinks is told by "level" (3.x), "budget" (2.5), or not at all ("")."""
        if self.name.startswith("endpoints/"):
            return ""
        if self.version is None:
            return "budget"  # 3.x takes a budget for compatibility, 2.5 takes no level
        if self.version < (2, 5) or (self.version < (3, 0) and _NO_THINKING.search(self.name)):
            return ""
        return "level" if self.version >= (3, 0) else "budget"

    @property
    def needs_signatures(self) -> bool:
        """Answers 400 where a function call comes back without its thought signature (3.x)."""
        return self.version is not None and self.version >= (3, 0)

    @property
    def mixes_tools(self) -> bool:
        """Takes functions together with search or a JSON answer (3.x)."""
        return self.version is None or self.version >= (3, 0)

    @property
    def fixed_sampling(self) -> bool:
        """Ignores temperature, top_p and top_k."""
        return _FIXED_SAMPLING.search(self.name) is not None

    def has(self, word: str) -> bool:
        """Whether the word ("flash", "pro", "lite") stands in the name."""
        return word in self.name


def read_model(name: str) -> Model:
    """The traits of the model of this name at Vertex AI."""
    found = _VERSION.search(name)
    return Model(name, (int(found[1]), int(found[2] or 0)) if found else None)
