"""A real Prometheus reads what a proxy tells, and answers every question of the dashboard and the alerts."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from testkit.claude import until
from testkit.mock import MockUpstream
from testkit.process import free_port
from tests.integration.test_dashboards import ALERTS, panels, plain, told_after_a_mix

PROMETHEUS = shutil.which("prometheus")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed"),
]
CONFIG = """
global: {{ scrape_interval: 100ms }}
scrape_configs:
  - job_name: fastproxy
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
"""


@contextmanager
def served(text: str) -> Iterator[int]:
    """The port of a server that answers everything with this text."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def prometheus(
    mock_process: MockUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """One that has read the proxy's metrics several times."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    with served(told_after_a_mix(mock_process)) as target:
        (folder / "prometheus.yml").write_text(CONFIG.format(port=target))
        process = subprocess.Popen(
            [
                str(PROMETHEUS),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
                until(lambda: _has_data(client), 30)
                yield client
        finally:
            process.terminate()
            process.wait(10)


def _has_data(client: httpx.Client) -> bool:
    try:
        return bool(asked(client, "count_over_time(fastproxy_workers[5m]) >= 3"))
    except (httpx.HTTPError, AssertionError):
        return False


def asked(client: httpx.Client, expression: str) -> list[object]:
    """What Prometheus answers."""
    answer = client.post("/api/v1/query", data={"query": expression})
    assert answer.status_code == 200, (expression, answer.text)
    found: list[object] = answer.json()["data"]["result"]
    return found


def test_every_panel_has_data(prometheus: httpx.Client) -> None:
    for target in (target for panel in panels() for target in panel["targets"]):
        assert asked(prometheus, plain(target["expr"])), target["expr"]


def test_every_alert_can_be_asked_and_none_is_raised_by_a_proxy_at_work(prometheus: httpx.Client) -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    raised = {rule["alert"] for rule in rules if asked(prometheus, rule["expr"])}
    assert raised <= {"FastproxyCircuitOpen"}  # the mix has one
