"""Which handler answers which method and path: the table of everything that is served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastproxy.api import (
    azure,
    chat,
    completions,
    docs,
    embeddings,
    health,
    messages,
    metrics,
    models,
    responses,
    status,
)
from fastproxy.asgi import create_robyn, registered

if TYPE_CHECKING:
    from fastproxy.app import App

Route = tuple[str, str, Any]
"""Method, path, handler."""


def robyn_app(app: App) -> Any:
    """A Robyn app with all routes and events of the proxy."""
    robyn = create_robyn(__file__)
    robyn.startup_handler(app.start)
    robyn.shutdown_handler(app.aclose)
    documented: list[tuple[str, str]] = []
    for method, path, handler in [*_of_models(app), *_of_operation(app), *_of_documents(documented)]:
        robyn.add_route(method, path, handler)
    documented += registered(robyn)
    return robyn


def _of_models(app: App) -> Iterator[Route]:
    """What is asked of a model."""
    create_message, count_tokens = messages.handlers(app.pipeline)
    for paths, handler in (
        (chat.PATHS, chat.handler(app.pipeline)),
        (azure.PATHS, azure.handler(app.pipeline)),
        (messages.PATHS, create_message),
        ([f"{path}/count_tokens" for path in messages.PATHS], count_tokens),
        (embeddings.PATHS, embeddings.handler(app.pipeline)),
        (completions.PATHS, completions.handler(app.pipeline)),
        (responses.PATHS, responses.handler(app.pipeline)),
    ):
        for path in paths:
            yield "POST", path, handler
    stored_response = responses.stored_handler(app.authenticator)
    for path in responses.PATHS:
        yield "GET", f"{path}/*id", stored_response
        yield "DELETE", f"{path}/*id", stored_response
    for base in models.BASES:
        yield "GET", base, models.list_handler(app.authenticator, app.catalogue)
        yield "GET", f"{base}/*model", models.one_handler(app.authenticator, app.catalogue)


def _of_operation(app: App) -> Iterator[Route]:
    """What those ask who run the proxy."""
    server = app.settings.server
    state = health.state_of(app.pipeline, app.catalogue.providers, log_bodies=server.log_bodies)
    yield "GET", "/health", health.health_handler(state)
    for path in ("/health/live", health.GREETING):
        yield "GET", path, health.live
    if server.status_page:
        yield "GET", "/", status.page_handler(has_keys=bool(app.settings.auth.keys))
        data = status.data_handler(app.authenticator, state, app.history, app.journal.flush, server.workers)
        yield "GET", "/status", data
    else:
        yield "GET", "/", health.live
    yield "GET", "/health/ready", health.ready_handler(app.pipeline)
    is_open = server.metrics_open
    yield "GET", "/metrics", metrics.handler(app.render_metrics, app.authenticator, is_open=is_open)


def _of_documents(documented: list[tuple[str, str]]) -> Iterator[Route]:
    """What is served here, told; `documented` is filled in once all routes are known."""
    openapi, page = docs.handlers(documented)
    yield "GET", "/openapi.json", openapi
    yield "GET", "/docs", page
