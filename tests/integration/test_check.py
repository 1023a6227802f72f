"""`fastproxy check` and `fastproxy models` as a user runs them: each fault with its remedy, and no secret."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testkit.claude import fake_cli
from testkit.mock import CLOSES, GARBAGE, NEVER_ANSWERS, MockUpstream
from testkit.process import clean_environment, free_port, program_of
from testkit.proxy import FastproxyProcess
from testkit.vertex import CREDENTIALS, credentials, vertex_table

SECRET = "sk-never-to-be-shown-0123456789"
ANY_PORT = "[server]\nport = 0\n"


@dataclass
class Ended:
    """A command that has ended."""

    code: int
    output: str
    seconds: float

    @property
    def text(self) -> str:
        """Its output on one line: where it was wrapped does not matter."""
        return " ".join(self.output.split())


class Command:
    """Runs fastproxy in a folder of its own, where it finds nothing of the user's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, config: str | None, *arguments: str, command: str = "check", **environment: str
    ) -> Ended:
        if config is not None:
            (self.folder / "fastproxy.toml").write_text(config, "utf-8")
        began = time.monotonic()
        made = subprocess.run(
            [*program_of("fastproxy"), command, *arguments],
            cwd=self.folder,
            env=clean_environment({"HOME": str(self.folder), "PATH": "/nowhere", **environment}),
            capture_output=True,
            text=True,
            timeout=45,
        )
        output = made.stdout + made.stderr
        assert SECRET not in output
        assert "Traceback" not in output
        return Ended(made.returncode, output, time.monotonic() - began)


@pytest.fixture
def run(tmp_path: Path) -> Command:
    return Command(tmp_path)


def openai_kind(url: str) -> str:
    return f'{ANY_PORT}[providers.box]\nkind = "openai"\nbase_url = "{url}"\napi_key = "{SECRET}"\n'


def deepseek(url: str) -> str:
    return f'{ANY_PORT}[providers.deepseek]\nbase_url = "{url}"\napi_key = "{SECRET}"\n'


def ollama(url: str) -> str:
    return f'{ANY_PORT}[providers.ollama]\nbase_url = "{url}"\n'


def test_with_nothing_configured_all_is_well_and_each_provider_says_how_it_is_turned_on(run: Command) -> None:
    ended = run(f'{ANY_PORT}[providers.ollama]\nbase_url = "http://127.0.0.1:1"\nenabled = false\n')
    assert ended.code == 0
    assert "set DEEPSEEK_API_KEY" in ended.text
    assert "run `gcloud auth application-default login`" in ended.text
    assert "everything works" in ended.text
    assert "costs no tokens" in ended.text


def test_what_works_is_told_with_what_was_found(run: Command, mock: MockUpstream) -> None:
    shown = {
        "capabilities": ["completion", "tools"],
        "model_info": {"general.architecture": "llama", "llama.context_length": 8192},
    }
    mock.script({"json": shown}, path="/api/show")
    config = (
        '[server]\nport = 0\ndefault_model = "fast"\n[aliases]\nfast = "ollama-llama3.2"\n'
        f'[providers.ollama]\nbase_url = "{mock.url}"\n'
        f'[providers.deepseek]\napi_key = "{SECRET}"\nbase_url = "{mock.url}"\n'
        f'[providers.anthropic]\napi_key = "{SECRET}"\nbase_url = "{mock.url}"\n' + vertex_table(mock.url)
    )
    (run.folder / CREDENTIALS).write_text(credentials(mock.url)[CREDENTIALS])
    ended = run(config)
    assert ended.code == 0, ended.output
    assert "Ollama 0.6.3, 1 model" in ended.text
    assert "llama3.2:latest context 8192 tools" in ended.text
    assert ended.text.count("key accepted, 2 models") == 2
    assert "token from the service_account file" in ended.text
    assert "project file-project" in ended.text
    assert "not verified: that this credential may use Vertex AI" in ended.text
    assert "default_model ok ollama-llama3.2" in ended.text
    paths = {request.path for request in mock.requests()}
    assert paths == {"/models", "/v1/models", "/api/tags", "/api/version", "/api/show", "/token", "/"}


@pytest.mark.parametrize("kind", ["deepseek", "anthropic", "openai"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key(run: Command, mock: MockUpstream, kind: str, status: int) -> None:
    mock.script({"status": status, "json": {"error": {"message": f"Incorrect API key: {SECRET}"}}})
    name = "box" if kind == "openai" else kind
    table = f'[providers.{name}]\nkind = "{kind}"\nbase_url = "{mock.url}"\napi_key = "{SECRET}"\n'
    ended = run(ANY_PORT + table)
    assert ended.code == 1
    assert f"the credential is refused ({status})" in ended.text
    assert f"check providers.{name}.api_key" in ended.text


def test_a_dead_host(run: Command) -> None:
    ended = run(openai_kind(f"http://127.0.0.1:{free_port()}/v1"))
    assert ended.code == 1
    assert "the connection was refused" in ended.text
    assert "correct host and port in base_url" in ended.text


def test_an_ollama_that_is_not_running_is_a_fault_where_it_is_configured(run: Command) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    ended = run(ollama(url))
    assert ended.code == 1
    assert f"Ollama is not running at {url}" in ended.text
    assert "start it: `ollama serve`" in ended.text


def claude(file: str, more: str = "") -> str:
    return f'{ANY_PORT}[providers.claude]\nclaude_bin = "{file}"\n{more}'


@pytest.fixture
def fake_claude() -> str:
    if fake_cli().missing:
        pytest.skip(fake_cli().missing)
    return fake_cli().file


def test_the_claude_cli_is_found_and_tested(run: Command, fake_claude: str) -> None:
    ended = run(
        claude(fake_claude),
        PATH=clean_environment()["PATH"],
        ANTHROPIC_API_KEY=SECRET,
        TMPDIR=str(run.folder),
    )
    assert "claude CLI 9.9.9, uses an API key, Node.js" in ended.text
    assert "self-test passed" in ended.text
    assert not [*run.folder.glob("fastproxy-bridge-*/run-*")]


@pytest.mark.parametrize(("is_configured", "mark"), [(False, "note"), (True, "FAULT")])
def test_a_claude_cli_that_nobody_is_logged_in_at(
    run: Command, fake_claude: str, is_configured: bool, mark: str
) -> None:
    (run.folder / "claude").symlink_to(fake_claude)
    path = f"{run.folder}:{clean_environment()['PATH']}"
    config = claude("claude") if is_configured else ANY_PORT
    ended = run(config, PATH=path, TMPDIR=str(run.folder))
    assert ended.code == (mark == "FAULT"), ended.output
    assert f"claude {mark} the claude CLI has neither a login nor a key" in ended.text
    assert "run `claude` in a terminal and log in, or set ANTHROPIC_API_KEY" in ended.text


def test_a_bridge_that_ends_at_its_start(run: Command, fake_claude: str) -> None:
    node = run.folder / "node"
    node.write_text("#!/bin/sh\nexit 1\n")
    node.chmod(0o755)
    ended = run(claude(fake_claude), PATH=str(run.folder))
    assert ended.code == 1
    assert "the bridge to the claude CLI ended at its start" in ended.text
    assert "update Node.js to 20 or newer" in ended.text


def test_without_node_the_rest_works_and_what_is_missing_is_told(run: Command, fake_claude: str) -> None:
    ended = run(claude(fake_claude))
    assert ended.code == 0
    assert "claude off install Node.js 20 or newer" in ended.text
    assert "demo ok" in ended.text


def test_a_bridge_elsewhere_that_is_none(run: Command, mock: MockUpstream) -> None:
    table = '{any}[providers.claude]\nbridge_url = "{url}"\n'
    ended = run(table.format(any=ANY_PORT, url=mock.url))
    assert ended.code == 1
    assert "bridge_url leads to no bridge" in ended.text
    mock.script({"json": {"status": "ok"}}, path="/health")
    assert "set providers.claude.bridge_secret" in run(table.format(any=ANY_PORT, url=mock.url)).text
    ended = run(table.format(any=ANY_PORT, url=f"http://127.0.0.1:{free_port()}"))
    assert "the connection was refused" in ended.text


def test_a_claude_cli_of_an_unknown_kind_is_noted(run: Command, mock: MockUpstream) -> None:
    told = {
        "status": "degraded",
        "cli": {"found": True, "version": "9.0.0"},
        "auth": {"mode": "login", "credentials": "unknown"},
        "self_test": {"mode": "replay"},
    }
    mock.script({"json": told}, path="/health")
    ended = run(f'{ANY_PORT}[providers.claude]\nbridge_url = "{mock.url}"\n')
    assert ended.code == 0
    assert "claude note claude CLI 9.0.0, uses your own login, bridge at" in ended.text
    assert "does not take requests word for word" in ended.text


@pytest.mark.parametrize("status", [200, 404])
def test_a_wrong_base_url(run: Command, mock: MockUpstream, status: int) -> None:
    page = {
        "status": status,
        "body": "<!doctype html><title>Hi</title>",
        "headers": {"content-type": "text/html"},
    }
    mock.script(page)
    ended = run(openai_kind(f"{mock.url}/wrong"))
    assert ended.code == 1
    assert "an HTML page" in ended.text
    assert "check providers.box.base_url" in ended.text


def test_a_base_url_that_redirects(run: Command, mock: MockUpstream) -> None:
    mock.script({"status": 301, "headers": {"location": "https://elsewhere.example/"}, "body": ""})
    ended = run(openai_kind(mock.url))
    assert ended.code == 1
    assert "set providers.box.base_url to the address that it leads to" in ended.text


def test_a_base_url_that_is_no_address(run: Command) -> None:
    ended = run(openai_kind("http://[broken/v1"))
    assert ended.code == 1
    assert "base_url" in ended.text


def test_an_unknown_key_in_the_file(run: Command) -> None:
    ended = run('[providers.ollama]\nbase_urll = "http://x"\n')
    assert ended.code == 1
    assert "unknown key providers.ollama.base_urll; did you mean 'base_url'?" in ended.text


def test_a_missing_file(run: Command) -> None:
    ended = run(None, "--config", "nowhere.toml")
    assert ended.code == 1
    assert "nowhere.toml: there is no such file (given by --config)" in ended.text


def test_a_name_that_cannot_be_resolved(run: Command) -> None:
    ended = run(openai_kind("https://no-such-host.invalid/v1"))
    assert ended.code == 1
    assert "'no-such-host.invalid' cannot be resolved (DNS)" in ended.text
    assert "check base_url for a typo" in ended.text


def test_a_certificate_that_is_not_trusted(run: Command, tls_server: str) -> None:
    ended = run(openai_kind(f"{tls_server}/v1"))
    assert ended.code == 1
    assert "is not trusted" in ended.text
    assert "SSL_CERT_FILE" in ended.text


def test_https_where_the_server_speaks_http(run: Command, plain_server: str) -> None:
    ended = run(openai_kind(plain_server.replace("http:", "https:")))
    assert ended.code == 1
    assert "does the server speak http and not https?" in ended.text


def test_an_ollama_that_is_too_old(run: Command, mock: MockUpstream) -> None:
    mock.script({"json": {"version": "0.1.44"}}, path="/api/version")
    ended = run(ollama(mock.url))
    assert ended.code == 1
    assert "Ollama 0.1.44 is too old, 0.5.0 or newer is needed" in ended.text
    assert "update it: https://ollama.com/download" in ended.text


@pytest.mark.parametrize(
    ("path", "words"),
    [("/api/version", "is no Ollama server"), ("/api/tags", "there is no /api/tags at base_url (404")],
)
def test_a_server_that_is_no_ollama(run: Command, mock: MockUpstream, path: str, words: str) -> None:
    mock.script({"status": 404, "body": "not here"}, path=path)
    ended = run(ollama(mock.url))
    assert ended.code == 1
    assert words in ended.text
    assert "providers.ollama.base_url" in ended.text


def test_a_port_that_another_program_has(run: Command, mock: MockUpstream) -> None:
    ended = run(f"[server]\nport = {mock.port}\n[providers.ollama]\nenabled = false\n")
    assert ended.code == 1
    assert f"another program has 127.0.0.1:{mock.port}" in ended.text
    assert "choose another port" in ended.text


def test_a_port_that_fastproxy_itself_has_is_no_fault(run: Command) -> None:
    config = "[providers.ollama]\nenabled = false\n"
    with FastproxyProcess(config) as running:
        ended = run(f"[server]\nport = {running.port}\n{config}")
    assert ended.code == 0
    assert f"is already running at 127.0.0.1:{running.port}" in ended.text


@pytest.mark.parametrize("setting", ["default_model", "alias"])
def test_a_model_that_is_not_pulled(run: Command, mock: MockUpstream, setting: str) -> None:
    names = '[aliases]\nbig = "ollama-qwen3:8b"\n' if setting == "alias" else ""
    default = 'default_model = "ollama-qwen3:8b"\n' if setting == "default_model" else ""
    ended = run(f'[server]\nport = 0\n{default}{names}[providers.ollama]\nbase_url = "{mock.url}"\n')
    assert ended.code == 1
    assert "Ollama has no model 'qwen3:8b': it is not pulled" in ended.text
    assert "fetch it: `ollama pull qwen3:8b`" in ended.text
    assert ("aliases.big" if setting == "alias" else "server.default_model") in ended.text


def test_an_alias_that_leads_nowhere(run: Command) -> None:
    ended = run(
        f'{ANY_PORT}[aliases]\nsmart = "demo-chatt"\ngone = "gpt-x"\n[providers.ollama]\nenabled = false\n'
    )
    assert ended.code == 1
    assert "mend aliases.gone" in ended.text


def broken_file(folder: Path, url: str) -> None:
    (folder / CREDENTIALS).write_text('{"type": "service_account"}')


def no_file(folder: Path, url: str) -> None:
    """Nothing is there."""


def revoked(folder: Path, url: str) -> None:
    (folder / CREDENTIALS).write_text(credentials(url)[CREDENTIALS])


def no_project(folder: Path, url: str) -> None:
    account = orjson.loads(credentials(url)[CREDENTIALS])
    del account["project_id"]
    (folder / CREDENTIALS).write_bytes(orjson.dumps(account))


@pytest.mark.parametrize(
    ("arrange", "what", "remedy"),
    [
        (broken_file, "is no valid service_account file", "Download a new key"),
        (no_file, "cannot be read", "mend providers.vertex.credentials_file"),
        (revoked, "Google no longer accepts", "set providers.vertex.credentials_file to a new key"),
        (no_project, "no Google Cloud project is known", "set providers.vertex.project"),
    ],
)
def test_a_broken_google_credential(
    run: Command, mock: MockUpstream, arrange: Callable[[Path, str], None], what: str, remedy: str
) -> None:
    if arrange is revoked:
        refused = {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
        mock.script({"status": 400, "json": refused}, path="/token")
    arrange(run.folder, mock.url)
    ended = run(ANY_PORT + vertex_table(mock.url))
    assert ended.code == 1
    assert what in ended.text
    assert remedy in ended.text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"status": 503, "body": ""}, "the server answers 503"),
        ({"json": {"data": "none"}}, "not with a list of models"),
        (CLOSES, "broke the connection"),
        (GARBAGE, "broke the connection"),
    ],
    ids=["503", "other", "closes", "garbage"],
)
def test_a_server_in_trouble(run: Command, mock: MockUpstream, reply: dict[str, Any], words: str) -> None:
    mock.script(reply)
    ended = run(deepseek(mock.url))
    assert ended.code == 1
    assert words in ended.text


@pytest.mark.slow
def test_servers_that_never_answer_are_left_in_bounded_time(run: Command, mock: MockUpstream) -> None:
    mock.script(NEVER_ANSWERS)
    tables = deepseek(mock.url) + ollama(mock.url).removeprefix(ANY_PORT)
    ended = run(tables)
    assert ended.code == 1
    assert ended.text.count("did not answer within 5 s") == 2
    assert ended.seconds < 12


def test_the_models_command_lists_what_can_be_called_and_why_the_rest_cannot(
    run: Command, mock: MockUpstream
) -> None:
    dead = f'[providers.dead]\nkind = "openai"\nbase_url = "http://127.0.0.1:{free_port()}"\n'
    aliases = '[aliases]\nfast = "ollama-llama3.2:latest"\n'
    ended = run(ollama(mock.url) + dead + aliases, command="models")
    assert ended.code == 0
    assert {"ollama-llama3.2:latest", "fast", "demo-chat"} <= set(ended.output.split())
    assert "deepseek is off: set DEEPSEEK_API_KEY" in ended.text
    assert "dead is not answering:" in ended.text


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[str]:
    """The address of a server whose certificate nobody has signed but itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))
    with served(listener, lambda connection: context.wrap_socket(connection, server_side=True).close()):
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def plain_server() -> Iterator[str]:
    """The address of a server that answers anything with a line of plain HTTP."""
    listener = socket.create_server(("127.0.0.1", 0))
    with served(listener, lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def served(listener: socket.socket, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Connections are served one after the other, until the end."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):  # a client that does not trust us leaves
                    serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    form = serialization.Encoding.PEM
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(form))
    return file
