"""The fake claude CLI driven by hand: what the way through it costs where there is no bridge and no proxy."""

from __future__ import annotations

import subprocess
import time
from typing import Any, Self

import orjson

from fastproxy.types import Json
from testkit.claude import KEY, Cli
from testkit.process import clean_environment


class DrivenCli:
    """The fake CLI without anything of ours: a process for each request, prepared as the bridge does it."""

    def __init__(self, cli: Cli, upstream: str, body: bytes) -> None:
        """`body` is the Messages request that the bridge gets."""
        self._command = [cli.file, "--model", "sonnet"]
        self._environment = clean_environment({"ANTHROPIC_BASE_URL": upstream, "ANTHROPIC_API_KEY": KEY})
        sent = orjson.loads(body)
        self._system = sent.pop("system")
        del sent["model"], sent["stream"]
        extra = {"CLAUDE_CODE_EXTRA_BODY": orjson.dumps(sent).decode()}
        self._question = [_control("apply_flag_settings", settings={"env": extra}), _user(".")]
        self.first_event_seconds: list[float] = []
        self._prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def call(self) -> None:
        started = time.perf_counter()
        self._say(*self._question)
        self._read_until(b'"text_delta"')
        self.first_event_seconds.append(time.perf_counter() - started)
        self._end()
        self._prepare()

    def _prepare(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
        )
        settings = _control("apply_flag_settings", settings={"env": {"CLAUDE_CODE_EXTRA_BODY": "{}"}})
        empty = {**_user([]), "shouldQuery": False}
        self._say(settings, _control("initialize", systemPrompt=[self._system]), empty)
        self._read_until(b'"result"')

    def _say(self, *lines: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._process.stdin.flush()

    def _read_until(self, sign: bytes) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if sign in line:
                return
        raise AssertionError("the CLI ended")

    def _end(self) -> None:
        with self._process:
            self._process.kill()


def _control(subtype: str, **fields: Any) -> Json:
    return {"type": "control_request", "request_id": "r", "request": {"subtype": subtype, **fields}}


def _user(content: object) -> Json:
    return {"type": "user", "message": {"role": "user", "content": content}, "parent_tool_use_id": None}
