"""docs/api.md: the errors that it lists are those that there are."""

from __future__ import annotations

import re

from fastproxy.errors import ErrorKind
from testkit.process import ROOT

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")


def test_every_error_stands_beside_its_status_and_type() -> None:
    rows = re.findall(r"^\| ([\d, ]+) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    told = {
        (int(status), kind, code)
        for statuses, kind, codes in rows
        for status in statuses.split(", ")
        for code in re.findall(r"`(\w+)`", codes)
    }
    for error in ErrorKind:
        assert (error.value.status, error.value.type, error.value.code) in told, error
