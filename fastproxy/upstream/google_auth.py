"""Google's access token for Vertex AI: always at hand, refreshed ahead, never in a request's way.

Laws: a valid token is handed out without a lock or an await; one refresh at a time, in a worker thread,
shared by all who wait; a refresh that fails is noticed by nobody while the old token lives.
Refreshing is decided here and not by google-auth, which calls a token stale 3 m 45 s before its end and
would refresh short-lived ones for ever.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from fastproxy.errors import ErrorKind, UpstreamError
from fastproxy.types import Headers, Json

if TYPE_CHECKING:
    import httpx

    from fastproxy.upstream.google_sources import Source

METADATA_HOST = "metadata.google.internal"
REFRESH_AHEAD_SECONDS = 300.0
"""A token is renewed no later than this before its end (at half its life, if it is short-lived)."""
MIN_REFRESH_SECONDS = 1.0
BACKOFF_SECONDS = (1.0, 60.0)
"""The first and the longest wait after a failed refresh; doubled each time, then up to halved by chance."""
FAIL_FAST_SECONDS = 0.5
"""Requests within this time after a failure share its error instead of asking Google again."""
SAFETY_SECONDS = 10.0
"""A token that ends sooner might end on its way: it is no longer handed out."""


class Token(NamedTuple):
    """A token as headers, and when it ends by two clocks: the monotonic one stands still in a suspended
    laptop, the wall clock may be set."""

    headers: Headers
    expires_at: float
    wall_expires_at: float


class GoogleCredential:
    """One Google identity: a file's, or (without a file) the application default credentials'.

    `metadata_host` is asked where google-auth finds no default; `http` makes the sync client of each
    refresh; `now` is monotonic seconds, `wall` seconds since the epoch.
    """

    def __init__(
        self,
        credentials_file: str = "",
        project: str = "",
        *,
        metadata_host: str = METADATA_HOST,
        http: Callable[[], httpx.Client] | None = None,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._file = credentials_file
        self._project = project
        self._metadata_host = metadata_host
        self._http = http
        self._now = now
        self._wall = wall
        self._sleep = sleep
        self._source: Source | None = None
        self._token: Token | None = None
        self._refreshing: asyncio.Task[Token | UpstreamError] | None = None
        self._background: asyncio.Task[None] | None = None
        self._refresh_at = float("-inf")
        self._failures_in_a_row = 0
        self._failed_at = float("-inf")
        self.last_error: UpstreamError | None = None
        """Why the latest refresh failed; None where it did not."""
        self.refreshed_at: float | None = None
        """When the token was fetched, by `now`."""

    @property
    def expires_at(self) -> float | None:
        """When the token ends, by `now`; None before the first."""
        return self._token.expires_at if self._token else None

    @property
    def project(self) -> str:
        """The Google Cloud project: the configured one, else the credential's own (once it is loaded).

        Raises UpstreamError where none is known.
        """
        if not self._project:
            raise UpstreamError(
                ErrorKind.UPSTREAM_AUTH,
                "Vertex AI: no Google Cloud project is known: set providers.vertex.project, or run "
                "`gcloud config set project PROJECT_ID`.",
                headers={"x-should-retry": "false"},
            )
        return self._project

    def headers(self) -> Headers:
        """`authorization`, and `x-goog-user-project` where there is a quota project; () where there is no
        token that is valid now (then await `ensure_headers`)."""
        token = self._token
        if token is None or self._now() >= token.expires_at or self._wall() >= token.wall_expires_at:
            return ()
        return token.headers

    def header(self) -> str | None:
        """The `authorization` header's value, None where there is no token that is valid now."""
        headers = self.headers()
        return headers[0][1] if headers else None

    async def ensure(self) -> str:
        """The `authorization` header's value; see `ensure_headers`."""
        return (await self.ensure_headers())[0][1]

    async def ensure_headers(self) -> Headers:
        """The headers of a valid token, after a refresh if need be. Raises UpstreamError."""
        headers = self.headers()
        if headers:
            return headers
        if self.last_error is not None and self._now() - self._failed_at < FAIL_FAST_SECONDS:
            raise _again(self.last_error)
        outcome = await asyncio.shield(self._shared_refresh())
        if isinstance(outcome, UpstreamError):
            raise _again(outcome)
        return outcome.headers

    def start(self) -> None:
        """Begins to fetch and renew the token in the background. Needs a running loop."""
        if self._background is None:
            self._background = asyncio.create_task(self._keep_fresh())

    async def aclose(self) -> None:
        """Ends the background task; a request to Google that is under way is no longer waited for."""
        tasks = [task for task in (self._background, self._refreshing) if task is not None]
        self._background = self._refreshing = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def status(self) -> Json:
        """What a health page may show: no secrets; lengths in seconds."""
        now = self._now()
        return {
            "source": self._source.name if self._source else None,
            "project": self._project or None,
            "valid": bool(self.headers()),
            "expires_in_seconds": None if self.expires_at is None else round(self.expires_at - now, 1),
            "refreshed_seconds_ago": None if self.refreshed_at is None else round(now - self.refreshed_at, 1),
            "last_error": self.last_error.message if self.last_error else None,
        }

    async def _keep_fresh(self) -> None:
        while True:
            wait = self._refresh_at - self._now()
            if wait > 0:
                await self._sleep(wait)
            else:
                await asyncio.shield(self._shared_refresh())

    def _shared_refresh(self) -> asyncio.Task[Token | UpstreamError]:
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> Token | UpstreamError:
        """Returns its error, because a task that raises while nobody waits complains to the log."""
        try:
            headers, lifetime = await asyncio.to_thread(self._fetch)
        except UpstreamError as error:
            self._note_failure(error)
            return error
        finally:
            self._refreshing = None
        return self._note_token(headers, lifetime)

    def _fetch(self) -> tuple[Headers, float]:
        """In a worker thread: google-auth blocks, and takes a tenth of a second to import."""
        from fastproxy.upstream import google_faults, google_sources

        with google_sources.HttpRequest(self._http, self._metadata_host) as request:
            try:
                source = self._source or google_sources.load(self._file, self._metadata_host, request)
                self._source = source
                self._project = self._project or source.project
                return google_sources.fetch(source, request)
            except Exception as error:  # noqa: BLE001 (google-auth leaks TypeErrors and more at odd answers)
                name = self._source.name if self._source else self._file or "application default credentials"
                # Its own words may hold secrets: not chained.
                raise google_faults.explain(error, name, request.last_status) from None

    def _note_token(self, headers: Headers, lifetime: float) -> Token:
        now = self._now()
        usable = lifetime - min(SAFETY_SECONDS, lifetime / 10)
        self._token = Token(headers, now + usable, self._wall() + usable)
        ahead = max(lifetime / 2, min(lifetime * 3 / 4, lifetime - REFRESH_AHEAD_SECONDS))
        self._refresh_at = now + max(ahead, MIN_REFRESH_SECONDS)
        self._failures_in_a_row = 0
        self.refreshed_at, self.last_error = now, None
        return self._token

    def _note_failure(self, error: UpstreamError) -> None:
        if error.kind is ErrorKind.UPSTREAM_AUTH:
            self._source = None  # a new login or a new key may lie there by the next time: read it again
        first, longest = BACKOFF_SECONDS
        wait = min(longest, first * 2 ** min(self._failures_in_a_row, 10))
        self._failures_in_a_row += 1
        self._failed_at = self._now()
        self._refresh_at = self._failed_at + wait * random.uniform(0.5, 1)  # noqa: S311 (no secret)
        self.last_error = error


def _again(error: UpstreamError) -> UpstreamError:
    """An equal error: one instance raised by many waiters would gather all their tracebacks."""
    return UpstreamError(error.kind, error.message, headers=error.headers)
