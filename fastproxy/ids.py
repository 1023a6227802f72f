"""Identifiers that are unique, cheap, and say nothing: a random beginning for each process, and a number."""

from __future__ import annotations

import re
import secrets
from itertools import count

SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
"""Ids of clients that are taken over as they are."""
_PROCESS = secrets.token_hex(8)
_numbers = count(1)


def unique(prefix: str) -> str:
    """An id that no other call of this or any other process gives. Not a secret: the next one can be guessed.

    Drawing random bytes for each request would be a system call for each.
    """
    return f"{prefix}{_PROCESS}{next(_numbers):08x}"
