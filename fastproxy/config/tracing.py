"""[tracing]: where spans go."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from fastproxy.config.values import Resolved, Secret, Section, http_url, without_trailing_slash


class TracingSettings(Section):
    """Traces in OpenTelemetry's protocol. Needs the extra `otel` (pip install 'fastproxy[otel]')."""

    endpoint: Annotated[Resolved, BeforeValidator(without_trailing_slash), AfterValidator(http_url)] = (
        "env:OTEL_EXPORTER_OTLP_ENDPOINT"
    )
    """The collector's address, like "http://localhost:4318": spans go to /v1/traces there.
    Empty: no traces."""
    headers: dict[str, Secret] = {}
    """Headers of every export, like `authorization`."""
    service_name: Annotated[Resolved, Field(min_length=1)] = "fastproxy"
    """What the service is called in the traces."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The part of the requests that are traced, where the client's `traceparent` does not decide it."""
