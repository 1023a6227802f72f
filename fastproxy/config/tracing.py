"""[tracing]: where spans go."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from fastproxy.config.values import (
    Resolved,
    Secret,
    Section,
    environment_of,
    http_url,
    without_trailing_slash,
)

_USUAL = "env:OTEL_EXPORTER_OTLP_ENDPOINT"


def _usual_endpoint(value: Any, info: ValidationInfo) -> Any:
    """The variable may stand there for other programs: where it names no address of HTTP's it is not ours."""
    if value != _USUAL:
        return value
    address = environment_of(info).get(_USUAL.removeprefix("env:"), "")
    return address if address.startswith(("http://", "https://")) else ""


class TracingSettings(Section):
    """Traces in OpenTelemetry's protocol. Needs the extra `otel` (pip install 'fastproxy[otel]')."""

    endpoint: Annotated[
        Resolved,
        BeforeValidator(without_trailing_slash),
        BeforeValidator(_usual_endpoint),
        AfterValidator(http_url),
    ] = _USUAL
    """The collector's address, like "http://localhost:4318": spans go to /v1/traces there.
    Empty: no traces."""
    headers: dict[str, Secret] = {}
    """Headers of every export, like `authorization`."""
    service_name: Annotated[Resolved, Field(min_length=1)] = "fastproxy"
    """What the service is called in the traces."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The part of the requests that are traced, where the client's `traceparent` does not decide it."""
