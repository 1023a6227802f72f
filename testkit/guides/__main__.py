"""Tries every block of every guide in a checkout of its own; prints what was done, and what was not.

python -m testkit.guides [--short] [PAGE …]          (or: make docs-test)

The README is tried first, where nothing is installed; what it installs, and the development tools, serve the
other pages.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from testkit.guides.blocks import Block, blocks, pages
from testkit.guides.session import GuideError, Session
from testkit.mock import MockUpstream
from testkit.process import ROOT

_SECONDS = {True: 60.0, False: 600.0}
"""For one block, by whether this is the short form: in the long one some install."""


@click.command()
@click.option("--short", is_flag=True, help="With what is installed here; what installs is only read.")
@click.argument("names", nargs=-1, metavar="[PAGE]…")
def main(short: bool, names: Sequence[str]) -> None:
    """Tries the guides; fails where one does not keep its word."""
    chosen = [ROOT / name for name in names] or pages(ROOT)
    failures, skipped = 0, list[Block]()
    venv = Path(sys.prefix) if short else None
    with MockUpstream() as mock, tempfile.TemporaryDirectory(prefix="guides-") as folder:
        for number, page in enumerate(chosen):
            place = Path(folder, str(number))
            place.mkdir()
            with Session(mock, place, venv=venv, short=short) as session:
                if venv is None and page.name != "README.md":
                    venv = _complete(session.checkout)
                for block, fault in _try(session, page, _SECONDS[short]):
                    failures += bool(fault)
                    skipped += [block] * ("skip" in block.remarks)
            if venv is None:
                venv = _complete(session.checkout)
    for block in skipped:
        click.echo(f"NOT TRIED  {block}: {block.remarks['skip']}")
    click.echo(
        f"{failures} of the guides' promises are not kept" if failures else "the guides keep their word"
    )
    raise SystemExit(1 if failures else 0)


def _try(session: Session, page: Path, timeout: float) -> Iterator[tuple[Block, str]]:
    """Each block that was tried, and what was wrong; the page is left at its first fault."""
    for block in blocks(str(page.relative_to(ROOT)), page.read_text("utf-8")):
        began = time.monotonic()
        try:
            how = session.run(block, timeout)
        except GuideError as error:
            click.echo(f"FAILED     {error}")
            yield block, str(error)
            return
        click.echo(f"{time.monotonic() - began:6.1f} s   {block}: {how}")
        yield block, ""


def _complete(checkout: Path) -> Path:
    """The checkout's .venv, with the development tools, which some pages' snippets need."""
    subprocess.run(["make", "setup"], cwd=checkout, check=True, stdout=subprocess.DEVNULL)  # noqa: S607
    return checkout / ".venv"


if __name__ == "__main__":
    main()
