"""docs/observability.md tells of every metric, every field and every line, and of nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import yaml

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.observability.logging import request_fields
from fastproxy.observability.record import RequestRecord
from fastproxy.resilience.breaker import State
from fastproxy.types import Deployment
from fastproxy.wire.events import Usage
from testkit.metrics_page import FILE, render
from testkit.process import ROOT

PAGE = FILE.read_text("utf-8")
ON_EVERY_LINE = {"event", "level", "timestamp"}


def section(title: str) -> str:
    """What stands under this heading, up to the next one of any level."""
    _, _, rest = PAGE.partition(f"# {title}\n")
    assert rest, title
    return re.split(r"(?m)^#", rest)[0]


def named(title: str) -> set[str]:
    """The names in the first column of the section's tables."""
    rows = re.findall(r"(?m)^\| (`[^|]*) \|", section(title))
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_the_table_of_metrics_is_made_from_their_definitions() -> None:
    assert render(PAGE) == PAGE, "write it anew: make docs"


def test_every_field_of_a_requests_line_is_told() -> None:
    record = RequestRecord("r", "POST", "/", caller="c", asked_model="a", stream=True, status=502, finish="f")
    record.on_deployment(Deployment("p", "openai", "m", ""))
    error = UpstreamError(ErrorKind.BAD_RESPONSE, "no", upstream_status=500)
    record.attempt_failed(Deployment("p", "openai", "m", ""), error)
    record.failed(error)
    record.skip(Deployment("q", "openai", "m", ""), "it cannot")
    record.attempts, record.dropped, record.client_gone, record.limit_seconds = 2, ("n",), True, 1.0
    record.usage = Usage(1, 2, 3, cached_tokens=1, reasoning_tokens=1)
    assert set(request_fields(record)) == named("The request line")


def events() -> Iterator[str]:
    """The words of every line that our code writes through structlog."""
    for file in (ROOT / "fastproxy").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("debug", "info", "warning", "error")
                and ast.unparse(node.func.value).endswith("self._log")
                and isinstance(node.args[0], ast.Constant)
            ):
                yield node.args[0].value
    yield from (f"circuit {state.name.lower()}" for state in State)


def test_every_line_is_told_and_no_other() -> None:
    assert set(events()) == named("Other lines")


def test_every_line_of_the_bridge_is_told_and_no_other() -> None:
    sources = (file.read_text("utf-8") for file in (ROOT / "bridge/src").glob("*.ts"))
    written = re.compile(r'[lL]og\((?:[^"\n]*"(?:debug|info|warn|error)")+, "(\w+)"')
    assert {event for source in sources for event in written.findall(source)} == named("Lines of the bridge")


@pytest.mark.parametrize("title", ["The request line", "Other lines", "Prompts and answers in the log"])
def test_the_examples_have_no_field_that_is_not_told(title: str) -> None:
    told = section(title)
    blocks = re.findall(r"```json\n(.*?)```", told, re.DOTALL)
    assert blocks
    texts = [text for block in blocks for text in re.split(r"\n(?=\{)", block)]
    for line in map(orjson.loads, texts):
        assert line.keys() >= ON_EVERY_LINE
        assert all(f"`{name}`" in told for name in line.keys() - ON_EVERY_LINE)


def test_every_alert_is_told_with_what_to_do() -> None:
    groups = yaml.safe_load(Path(ROOT, "infra/prometheus/alerts.yml").read_text())["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == named("Prometheus and Grafana")
