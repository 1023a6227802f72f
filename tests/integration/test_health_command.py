"""`fastproxy health`: what a container's health check runs."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from testkit.process import clean_environment, free_port
from testkit.proxy import FastproxyProcess


def health(port: int, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fastproxy", "health", "--timeout", "1"],
        env=clean_environment({"HOME": str(folder), "FASTPROXY_SERVER__PORT": str(port), **environment}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_it_succeeds_while_the_proxy_is_ready_and_needs_no_key(tmp_path: Path) -> None:
    keys = '[{"name": "app", "key": "sk-app"}]'
    with FastproxyProcess("", {"FASTPROXY_AUTH__KEYS": keys}) as proxy:
        asked = health(proxy.port, tmp_path, FASTPROXY_SERVER__HOST="0.0.0.0", FASTPROXY_AUTH__KEYS=keys)
    assert (asked.returncode, asked.stdout) == (0, "ready\n")


def test_it_fails_and_says_where_nobody_answers(tmp_path: Path) -> None:
    port = free_port()
    asked = health(port, tmp_path)
    assert asked.returncode == 1
    assert asked.stderr.startswith(f"Error: no answer from http://127.0.0.1:{port}: ")


def test_it_gives_up_on_a_server_that_says_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = health(silent.getsockname()[1], tmp_path)
    assert asked.returncode == 1
    assert "timed out" in asked.stderr


def test_it_asks_a_server_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=proxy.example"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    tls = {"FASTPROXY_SERVER__TLS_CERTIFICATE": str(certificate), "FASTPROXY_SERVER__TLS_KEY": str(key)}
    port = free_port()
    arguments = [sys.executable, "-m", "fastproxy", "serve", "--port", str(port)]
    serving = subprocess.Popen(arguments, env=clean_environment({"HOME": str(tmp_path), **tls}), cwd=tmp_path)
    try:
        answers = (health(port, tmp_path, **tls) for _ in range(20))
        assert any(asked.returncode == 0 for asked in answers)
    finally:
        serving.terminate()
        assert serving.wait(10) == 0


def test_a_port_that_the_system_chooses_cannot_be_asked(tmp_path: Path) -> None:
    asked = health(0, tmp_path)
    assert asked.returncode == 1
    assert "server.port is 0" in asked.stderr
