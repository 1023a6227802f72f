"""The one fake: the network's edge. A scripted upstream behind the pipeline, and the client before it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.http import EVENT_STREAM
from fastproxy.types import Deployment, Headers, UpstreamRequest

Step = bytes | UpstreamError | float | asyncio.Event
"""What comes next from the network: bytes, a fault, a pause of so many seconds, or one until the event."""


async def _wait(step: float | asyncio.Event) -> None:
    await (asyncio.sleep(step) if isinstance(step, float) else step.wait())


class FakeResponse:
    """An upstream response that plays a script; it counts how often it was closed."""

    def __init__(self, *script: Step, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        self._script = list(script)
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        self.closed = 0
        self.unread = len(self._script)

    async def read_chunk(self) -> bytes | None:
        while self._script:
            step = self._script.pop(0)
            self.unread = len(self._script)
            if isinstance(step, UpstreamError):
                raise step
            if isinstance(step, bytes):
                return step
            await _wait(step)
        return None

    async def read_all(self, limit: int) -> bytes:
        body = b""
        while (chunk := await self.read_chunk()) is not None:
            body += chunk
            if len(body) > limit:
                raise UpstreamError(ErrorKind.BAD_RESPONSE, "too large")
        return body

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class Sent:
    """One request as it left for a provider."""

    request: UpstreamRequest
    deployment: Deployment
    headers: Headers


class FakeUpstream:
    """Answers each request with the next of its answers; pauses come before the answer's headers."""

    def __init__(self, *answers: FakeResponse | UpstreamError | float | asyncio.Event) -> None:
        self._answers = list(answers)
        self.responses = [answer for answer in answers if isinstance(answer, FakeResponse)]
        self.sent: list[Sent] = []

    async def send(
        self,
        request: UpstreamRequest,
        deployment: Deployment,
        more_headers: Headers = (),
        *,
        stream: bool = False,
    ) -> FakeResponse:
        self.sent.append(Sent(request, deployment, more_headers))
        while True:
            answer = self._answers.pop(0)
            if isinstance(answer, FakeResponse):
                return answer
            if isinstance(answer, UpstreamError):
                raise answer
            await _wait(answer)


@dataclass
class FakeSink:
    """The client's end of a streamed answer; it takes nothing while `room` is not set."""

    started: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    writes: list[bytes] = field(default_factory=list)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    writes_before_it_is_full: int = 0

    def __post_init__(self) -> None:
        self.room.set()
        self._written = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)

    async def start(self, headers: Headers, *, status: int = 200, content_type: str = EVENT_STREAM) -> None:
        assert not self.started, "the headers left twice"
        assert (status, content_type) == (200, EVENT_STREAM)
        self.started = True
        self.headers = dict(headers)

    async def write(self, data: bytes) -> None:
        assert self.started, "bytes before the headers"
        if len(self.writes) >= self.writes_before_it_is_full:
            await self.room.wait()
        self.writes.append(data)
        self._written.set()

    async def wrote(self, piece: bytes) -> None:
        """Returns when this piece has been written."""
        while piece not in self.body:
            self._written.clear()
            await self._written.wait()


class NoCredentials:
    """Adds a secret of the deployment's own, named after its credential."""

    async def authorize(self, deployment: Deployment) -> tuple[Deployment, Headers]:
        if deployment.credential == "broken":
            raise UpstreamError(ErrorKind.UPSTREAM_AUTH, "no token", retryable=True)
        if deployment.credential == "slow":
            await asyncio.sleep(1000)
        return deployment, (("authorization", f"Bearer {deployment.credential}"),)


def asgi_headers(headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
