"""Identifiers that are unique, cheap, and say nothing: a random beginning for each process, and a number."""

from __future__ import annotations

import re
import secrets
from itertools import count

_SANE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_PROCESS = secrets.token_hex(8)
_numbers = count(1)


def request_id(asked: str) -> str:
    """The id that the client asked for by x-request-id where it is sane, else one of ours."""
    return asked if _SANE.fullmatch(asked) else unique("req_")


def unique(prefix: str) -> str:
    """An id that no other call of this or any other process gives. Not a secret: the next one can be guessed.

    Drawing random bytes for each request would be a system call for each.
    """
    return f"{prefix}{_PROCESS}{next(_numbers):08x}"
