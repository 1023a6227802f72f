"""Ends a connection that a library will not let go: found by a mark that it carries, shut down by its number.

pyreqwest (0.15) answers a cancelled `send` at once, but the request itself runs on in its runtime until the
provider's headers come: a client that has left would keep a model busy for minutes. Each exclusive client
therefore marks its sockets with a TCP_USER_TIMEOUT of its own, which anybody in the process can read back,
and a request that is abandoned before its headers has the socket with its mark shut down.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from datetime import timedelta
from itertools import count
from pathlib import Path

_OPTION: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
_OPEN_FILES = Path("/proc/self/fd")
_BASE_MS = 600_000
_marks = count(_BASE_MS + 1)

CAN_SHUT_DOWN = _OPTION is not None and _OPEN_FILES.is_dir()
"""Whether this system has what it takes (Linux); elsewhere abandoned requests end with their headers."""


def new_mark() -> timedelta:
    """A TCP user timeout that no other client of this process has: ten minutes and some milliseconds."""
    return timedelta(milliseconds=next(_marks))


def shut_down(mark: timedelta) -> bool:
    """Shuts down every connection that carries this mark; whether there was one."""
    wanted = round(mark.total_seconds() * 1000)
    found = False
    for name in os.listdir(_OPEN_FILES):  # noqa: PTH208 - numbers, not paths
        with contextlib.suppress(OSError):  # closed meanwhile, no socket, no TCP socket
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found |= _shut_down_if_marked(int(name), wanted)
    return found


def _shut_down_if_marked(number: int, wanted: int) -> bool:
    with socket.socket(fileno=os.dup(number)) as connection:
        if _OPTION is None or connection.getsockopt(socket.IPPROTO_TCP, _OPTION) != wanted:
            return False
        connection.shutdown(socket.SHUT_RDWR)
        return True
