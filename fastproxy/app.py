"""Builds every object once from the settings; the only place where they meet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from fastproxy import __version__
from fastproxy.api import messages
from fastproxy.asgi import RobynAsgi
from fastproxy.auth import Authenticator
from fastproxy.catalogue import Catalogue
from fastproxy.config import ServerSettings, Settings, TracingSettings
from fastproxy.continuity import Continuity, open_store
from fastproxy.cursor import is_cursor, shown
from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.exchange import Policy
from fastproxy.http import HttpRequest, Reply
from fastproxy.limits import Limiter, Rules, open_windows
from fastproxy.observability.history import History
from fastproxy.observability.journal import Journal
from fastproxy.observability.logging import request_writer
from fastproxy.observability.metrics import Metrics
from fastproxy.observability.record import MAX_NAME, RequestRecord
from fastproxy.observability.sampler import Sampler, Sources
from fastproxy.pipeline import Pipeline
from fastproxy.providers import PROVIDERS
from fastproxy.resilience.attempts import Attempts
from fastproxy.resilience.breaker import Breakers, State
from fastproxy.resilience.turns import Turns
from fastproxy.routes import robyn_app
from fastproxy.routing import Router
from fastproxy.types import Deployment
from fastproxy.upstream.client import UpstreamClient
from fastproxy.upstream.credentials import Credentials
from fastproxy.upstream.discovery import Discovery
from fastproxy.wiring import google_credentials, model_rules, provider_entries, route_rules

if TYPE_CHECKING:
    from fastproxy.observability.bodies import BodyLog
    from fastproxy.observability.tracing import Tracing


class App:
    """The whole proxy in one process, apart from its sockets."""

    def __init__(
        self, settings: Settings, off_reasons: Mapping[str, str], *, multiprocess: bool = False
    ) -> None:
        self.settings, server = settings, settings.server
        self._log = structlog.get_logger()
        self._error_profile = server.error_profile
        self.metrics = Metrics(multiprocess_mode=multiprocess)
        self.history = History()
        self.tracing = _tracing(settings.tracing)
        self.journal = Journal(self.metrics.observe, *self._told(server))
        self.authenticator = Authenticator(settings.auth.keys, insecure=settings.auth.insecure)
        self.router = _router(settings, off_reasons)
        self.upstream = UpstreamClient(user_agent=f"fastproxy/{__version__}")
        self.credentials = Credentials(google_credentials(settings, off_reasons))
        store = open_store(settings.continuity.storage, settings.continuity.ttl_seconds)
        self.continuity = Continuity(store)
        self.discovery = Discovery(self.router.templates(), PROVIDERS)
        self.breakers = Breakers(self._circuit_changed)
        turns = Turns(self.breakers)
        self.catalogue = Catalogue(
            self.router, self.discovery, self.credentials.status, self.breakers.states, turns.load
        )
        self.router.known_models, self.router.lists = self.catalogue.names, self.catalogue.lists
        self.limits = _limiter(settings, self.router) if settings.has_limits else None
        self.bodies = _body_log(settings) if server.log_bodies else None
        way_out = self.bodies.around_upstream(self.upstream) if self.bodies else self.upstream
        self.pipeline = Pipeline(
            self.authenticator,
            self.router,
            self.continuity,
            Attempts(PROVIDERS, way_out, self.credentials, turns=turns, unable=self.catalogue.unable),
            self.journal.add,
            _policy(settings.server),
            self.limits,
            settings.tracing.sample_ratio if self.tracing else None,
        )
        self.sampler = Sampler(
            self.metrics.present,
            Sources(
                lambda: self.pipeline.in_flight,
                lambda: self.pipeline.gate.waiting,
                turns.load,
                self.breakers.states,
                self.credentials.status,
                self.discovery.watched,
            ),
        )
        self.asgi = RobynAsgi(robyn_app(self), on_error=self._on_error, max_body_bytes=server.max_body_bytes)
        self.served = self.bodies.around_app(self.asgi) if self.bodies else self.asgi
        """What the server calls."""

    def _told(self, server: ServerSettings) -> Iterator[Callable[[Sequence[RequestRecord]], None]]:
        """Who is told of finished requests, some at a time."""
        if server.status_page:
            yield self.history.add
        if self.tracing is not None:
            yield self.tracing.export
        yield request_writer(server.log_level, server.log_format)

    async def start(self) -> None:
        """Begins the background work; nothing is waited for."""
        if self.bodies:
            self.bodies.warn()
        self.credentials.start()
        self.discovery.start()
        self.sampler.start()

    async def aclose(self) -> None:
        """Ends the background work and gives all connections back."""
        self.sampler.close()
        await self.discovery.aclose()
        await self.credentials.aclose()
        await self.upstream.aclose()
        await self.continuity.aclose()
        if self.limits is not None:
            await self.limits.aclose()
        self.journal.flush()
        if self.tracing is not None:
            await asyncio.to_thread(self.tracing.close)

    def _circuit_changed(self, deployment: Deployment, state: State) -> None:
        name = state.name.lower()
        tell = self._log.warning if state is State.OPEN else self._log.info
        tell(f"circuit {name}", provider=deployment.provider, model=deployment.model[:MAX_NAME])
        self.metrics.present.set_circuits(self.breakers.states())

    def render_metrics(self) -> bytes:
        """The metrics of all workers, this one's up to date."""
        self.journal.flush()
        self.sampler.look()
        return self.metrics.render()

    def _on_error(self, error: BaseException, request: HttpRequest) -> Reply:
        """The one place where an exception becomes a response."""
        if not isinstance(error, ProxyError):
            self._log.error("internal error", request_id=request.id, path=request.path, exc_info=error)
            error = ProxyError(
                ErrorKind.INTERNAL,
                f"The proxy failed on this request. Its log tells more under {request.id}.",
            )
        if is_cursor(request, self._error_profile):
            error = shown(error)
        headers = dict(error.headers)
        if error.retry_after is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after)))
        if request.timing:
            headers["server-timing"] = request.timing
        surface = messages.surface_of(request)
        if surface.id_header:
            headers[surface.id_header] = request.id
        body = surface.render_error(error, request.id)
        return Reply(body, status=error.status, headers=tuple(headers.items()))


def _tracing(settings: TracingSettings) -> Tracing | None:
    if not settings.endpoint:
        return None
    try:
        from fastproxy.observability.tracing import Tracing  # only who traces has the libraries
    except ImportError:  # the address may stand in the environment for other programs: no reason to end
        structlog.get_logger().warning(
            "Nothing is traced: it needs more packages (pip install 'fastproxy[otel]')."
        )
        return None

    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    return Tracing(settings.endpoint, headers, settings.service_name)


def _router(settings: Settings, off_reasons: Mapping[str, str]) -> Router:
    return Router(
        provider_entries(settings, off_reasons),
        rules=route_rules(settings),
        chain=settings.fallback.chain,
        aliases=settings.aliases,
        default_model=settings.server.default_model,
        neutral_names=settings.server.neutral_names,
    )


def _policy(server: ServerSettings) -> Policy:
    return Policy(
        server.on_unsupported,
        server.heartbeat_seconds,
        server.max_in_flight,
        server.queue_seconds,
        server.error_profile,
    )


def _body_log(settings: Settings) -> BodyLog:
    from fastproxy.observability.bodies import BodyLog
    from fastproxy.observability.redaction import Redactor

    return BodyLog(Redactor(settings.secrets()))


def _limiter(settings: Settings, router: Router) -> Limiter:
    limits, fail_open = settings.limits, settings.limits.on_failure == "open"
    return Limiter(
        open_windows(limits.storage, fail_open=fail_open),
        Rules(limits.requests_per_minute, limits.tokens_per_minute, model_rules(settings), router.names_of),
        fail_open=fail_open,
        trusted_proxies=settings.server.trusted_proxies,
    )
