"""The dashboard and the alerts ask for what a running proxy tells: every name, every label, every value."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import promql_parser as promql
import pytest
import yaml

from testkit.claude import ClaudeProxy, fake_cli, until
from testkit.exposition import Samples
from testkit.mock import SSE_HEADERS, MockUpstream
from testkit.process import ROOT
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table
from tests.integration.conftest import KEY, KEYS, OTHER_KEY
from tests.integration.test_openai_sdk import chunk
from tests.integration.test_streams import CHAT, ask

pytestmark = pytest.mark.slow
Node = TypeVar("Node")

Json = dict[str, Any]
INFRA = ROOT / "infra"
DASHBOARD: Json = orjson.loads((INFRA / "grafana/dashboards/fastproxy.json").read_bytes())
ALERTS = INFRA / "prometheus/alerts.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
ADDED_BY_PROMETHEUS = {"instance", "job"}
ROWS = ["Traffic", "Errors", "Latency", "Tokens", "Resilience", "Process"]

MIX = f"""
[[auth.keys]]
name = "tests"
key = "{KEY}"
[[auth.keys]]
name = "few"
key = "{OTHER_KEY}"
requests_per_minute = 1
[providers.local]
kind = "openai"
base_url = "{{url}}/v1"
prefix = "local-"
max_retries = 1
max_concurrency = 4
breaker_failure_threshold = 2
[providers.spare]
kind = "openai"
base_url = "{{url}}/v1"
prefix = "spare-"
[[routes]]
match = "local-*"
provider = "local"
fallback = ["spare-good"]
"""
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 5,
    "total_tokens": 35,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
BUSY = {"status": 503, "json": {"error": {"message": "busy"}}}


@pytest.fixture
def exposition(mock_process: MockUpstream) -> str:
    return told_after_a_mix(mock_process)


@cache
def told_after_a_mix(mock: MockUpstream) -> str:
    """What proxies tell that have seen everything: good answers, retries, fallbacks, refusals, a bridge."""
    cli = fake_cli()
    if cli.missing:
        pytest.skip(cli.missing)
    config = MIX.format(url=mock.url) + vertex_table(mock.url)
    with FastproxyProcess(config, files=credentials(mock.url)) as proxy:
        _mix(proxy, mock)
        until(lambda: "fastproxy_credential_age_seconds" in Samples(_scrape(proxy)).names, 30)
        told = _scrape(proxy)
    with ClaudeProxy(cli, mock.url, config=KEYS) as proxy:
        until(lambda: Samples(_scrape(proxy)).value("fastproxy_bridge_up", provider="claude") == 1, 30)
        bridge = [line for line in _scrape(proxy).splitlines() if "fastproxy_bridge" in line]
    others = [line for line in told.splitlines() if "fastproxy_bridge" not in line]
    return "\n".join([*others, *bridge, ""])


def _mix(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    mock.reset()
    answer = {"index": 0, "message": {"role": "assistant", "content": "one"}, "finish_reason": "stop"}
    good = {"json": {"id": "c", "object": "chat.completion", "choices": [answer], "usage": USAGE}}
    pieces = [chunk({"content": "one"}), chunk({}, "stop", usage=USAGE), "data: [DONE]\n\n"]
    mock.script({"chunks": pieces, "headers": SSE_HEADERS}, model="streams")
    mock.script(BUSY, good, model="recovers")
    mock.script(BUSY, model="fails")
    mock.script(good, model="good")
    left = {"chunks": [chunk({"content": "one"}), {"text": "", "gate": "never"}], "headers": SSE_HEADERS}
    mock.script(left, model="waits")
    statuses = [
        _ask(proxy, "local-streams", stream=True),
        _ask(proxy, "local-recovers"),
        _ask(proxy, "local-fails"),
        _ask(proxy, "nobody-has-it"),
        _ask(proxy, "spare-good", key=OTHER_KEY),
        _ask(proxy, "spare-good", key=OTHER_KEY),
    ]
    assert statuses == [200, 200, 200, 404, 200, 429]
    headers = {"authorization": f"Bearer {KEY}"}
    with (
        httpx.Client(headers=headers, trust_env=False, timeout=10) as client,
        client.stream("POST", f"{proxy.url}{CHAT}", json=ask("spare-waits")) as stream,
    ):
        next(stream.iter_raw())
    until(lambda: "fastproxy_client_disconnects_total" in Samples(_scrape(proxy)).names, 30)


def _ask(proxy: FastproxyProcess, model: str, key: str = KEY, *, stream: bool = False) -> int:
    headers = {"authorization": f"Bearer {key}"}
    body = ask(model, stream=stream)
    return httpx.post(f"{proxy.url}{CHAT}", json=body, headers=headers, trust_env=False).status_code


def _scrape(proxy: FastproxyProcess) -> str:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.get(f"{proxy.url}/metrics", headers=headers, trust_env=False).text


def panels() -> Iterator[Json]:
    """Those that ask something."""
    return (panel for panel in DASHBOARD["panels"] if panel["type"] != "row")


def plain(expression: str) -> str:
    """An expression of Grafana's as Prometheus gets it."""
    return re.sub(r"\$(provider|model)\b", ".*", expression.replace("$__rate_interval", "5m"))


def _nodes(expression: promql.Expr, kind: type[Node]) -> list[Node]:
    found: list[Node] = []

    def note(inner: promql.Expr) -> bool:
        if isinstance(inner, kind):
            found.append(inner)
        return True

    promql.walk(expression, note)
    return found


def _labels(samples: Samples, node: promql.Expr) -> set[str]:
    names = {
        name
        for selector in _nodes(node, promql.VectorSelector)
        for labels in samples.labels(selector.name)
        for name in labels
    }
    return names | ADDED_BY_PROMETHEUS


def faults(expression: str, samples: Samples) -> list[str]:
    """What an expression asks for and nobody tells."""
    found, tree = [], promql.parse(plain(expression))
    for selector in _nodes(tree, promql.VectorSelector):
        told = samples.labels(selector.name)
        if selector.name not in samples.names and selector.name != "up":
            found.append(f"no metric {selector.name}")
        for matcher in selector.matchers.matchers if told else ():
            values = [labels.get(matcher.name) for labels in told]
            if not any(values):
                found.append(f"{selector.name} has no label {matcher.name}")
            elif matcher.op == promql.MatchOp.Equal and matcher.value not in values:
                found.append(f"{selector.name}: {matcher.name} is never {matcher.value}")
    for aggregate in _nodes(tree, promql.AggregateExpr):
        asked = set(aggregate.modifier.labels) if aggregate.modifier else set()
        missing = asked - _labels(samples, aggregate.expr)
        found += [f"nothing in {aggregate.prettify()} has a label {name}" for name in sorted(missing)]
    return found


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("sum(rate(fastproxy_request_total[5m]))", "no metric fastproxy_request_total"),
        ('fastproxy_requests_total{caller="x"}', "fastproxy_requests_total has no label caller"),
        ('gen_ai_client_token_usage_sum{gen_ai_token_type="in"}', "gen_ai_token_type is never in"),
        ("sum by (modell) (fastproxy_requests_total)", "has a label modell"),
    ],
)
def test_the_check_finds_what_is_not_there(exposition: str, expression: str, fault: str) -> None:
    (found,) = faults(expression, Samples(exposition))
    assert fault in found


def test_every_panel_asks_for_what_is_told(exposition: str) -> None:
    samples = Samples(exposition)
    expressions = [target["expr"] for panel in panels() for target in panel["targets"]]
    assert {text: found for text in expressions if (found := faults(text, samples))} == {}


def test_every_legend_names_labels_that_its_expression_has(exposition: str) -> None:
    samples = Samples(exposition)
    for target in (target for panel in panels() for target in panel["targets"]):
        tree = promql.parse(plain(target["expr"]))
        grouped = _nodes(tree, promql.AggregateExpr)
        has = (
            {name for aggregate in grouped if aggregate.modifier for name in aggregate.modifier.labels}
            if grouped
            else _labels(samples, tree)
        )
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= has, target


def test_every_choice_is_of_a_label_that_is_told(exposition: str) -> None:
    samples = Samples(exposition)
    choices = [item["definition"] for item in DASHBOARD["templating"]["list"] if item["type"] == "query"]
    assert len(choices) == 2
    for choice in choices:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", choice)
        assert match is not None
        assert faults(match[1], samples) == []
        assert match[2] in _labels(samples, promql.parse(plain(match[1])))


def test_all_that_is_told_is_shown(exposition: str) -> None:
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", selector.name)
        for panel in panels()
        for target in panel["targets"]
        for selector in _nodes(promql.parse(plain(target["expr"])), promql.VectorSelector)
    }
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in Samples(exposition).names} == shown


def test_the_dashboard_is_laid_out_in_rows() -> None:
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == ROWS
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels())


def test_every_alert_asks_for_what_is_told(exposition: str) -> None:
    samples = Samples(exposition)
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) >= 5
    for rule in rules:
        assert faults(rule["expr"], samples) == [], rule["alert"]
        named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert named <= _labels(samples, promql.parse(rule["expr"])), rule["alert"]


def test_grafana_finds_its_dashboard_and_its_data() -> None:
    provisioning = INFRA / "grafana/provisioning"
    source = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"][0]
    (datasource,) = [item for item in DASHBOARD["templating"]["list"] if item["type"] == "datasource"]
    assert datasource["current"]["value"] == source["uid"]
    provider = yaml.safe_load((provisioning / "dashboards/fastproxy.yml").read_text())["providers"][0]
    compose = (INFRA / "docker-compose.yml").read_text()
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in compose
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in compose
    assert "./prometheus:/etc/prometheus:ro" in compose


@needs_promtool
@pytest.mark.parametrize("what", [("config", "prometheus.yml"), ("rules", "alerts.yml")])
def test_prometheus_takes_its_files(what: tuple[str, str]) -> None:
    kind, file = what
    _promtool("check", kind, str(INFRA / "prometheus" / file))


@needs_promtool
def test_prometheus_finds_nothing_to_mend_in_what_is_told(exposition: str) -> None:
    assert _promtool("check", "metrics", text=exposition) == ""


def _promtool(*arguments: str, text: str = "") -> str:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path("/"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr
