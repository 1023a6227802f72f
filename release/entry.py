"""Where the single-file executable begins: what unpacking itself takes, then the command line.

PyInstaller's loader unpacks everything into a folder `_MEI…` of the temporary directory, starts itself once
more with that folder, waits, and removes the folder. Killed hard, it does neither: so the program ends when
its loader is gone, and each start removes the folders that were left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import shutil
import signal
import sys
from pathlib import Path

import click

from fastproxy.cli import main

_FOLDERS = "_MEI*"
_IN_USE = ".fastproxy-in-use"
"""A file in each folder, locked by every process that runs from there: the lock dies with them."""
_PR_SET_PDEATHSIG = 1
"""linux/prctl.h"""


def _hold(folder: Path) -> int:
    """Marks the folder as in use until this process ends; returns the open file.

    The marker is locked before it gets its name, or another start could take the folder for a left-over."""
    marker = folder / _IN_USE
    draft = marker if marker.exists() else folder / f"{_IN_USE}.new"
    held = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_SH)
    draft.rename(marker)
    return held


def _remove_left_overs(own: Path) -> None:
    """Removes what earlier starts of this user unpacked and nobody runs any more."""
    for folder in own.parent.glob(_FOLDERS):
        with contextlib.suppress(OSError):  # in use, without our mark, or somebody else's
            if folder == own or folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            marker = os.open(folder / _IN_USE, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(marker)


def _end_with_the_loader() -> None:
    """A loader that is killed cannot pass the end on; macOS has nothing of the kind."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _give_back_the_library_path() -> None:
    """The programs that we start (node, gcloud) are to find their own libraries, not the unpacked ones."""
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)  # noqa: TID251 - no setting: the loader's
    if before is not None:
        os.environ["LD_LIBRARY_PATH"] = before  # noqa: TID251
    else:
        os.environ.pop("LD_LIBRARY_PATH", None)  # noqa: TID251


@click.command()
def licences() -> None:
    """Print the licences of everything in this file."""
    click.echo((Path(sys.prefix) / "LICENCES.txt").read_text("utf-8"))


if __name__ == "__main__":
    unpacked = Path(sys.prefix)  # PyInstaller's, and there in workers too
    _hold(unpacked)
    multiprocessing.freeze_support()  # a worker goes no further
    _end_with_the_loader()
    _give_back_the_library_path()
    _remove_left_overs(unpacked)
    main.add_command(licences)
    main()
