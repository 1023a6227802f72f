"""Where Vertex AI answers: the URL of a model's method, by location, publisher and mode.

Source: google-genai `_api_client.py` (hosts), Vertex AI's REST reference (paths).
"""

from __future__ import annotations

import re

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.types import Deployment

DEFAULT_LOCATION = "global"
DEFAULT_VERSION = "v1beta1"
_MULTI_REGIONS = ("us", "eu")
_PLACE = re.compile(r"[a-z0-9-]+")
_PROJECT = re.compile(r"[A-Za-z0-9.:_-]+")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_ENDPOINT = re.compile(r"endpoints/[A-Za-z0-9-]+")


def model_url(
    deployment: Deployment, method: str, publisher: str = "google", version: str | None = None
) -> str:
    """The URL of `method` ("generateContent") of the deployment's model; `endpoints/ID` is a tuned model.

    `version` of the API: the deployment's own where None.

    Raises UPSTREAM_AUTH where the deployment lacks a project, MODEL_NOT_FOUND for a name that cannot be.
    """
    options = deployment.options
    location = str(options.get("location") or DEFAULT_LOCATION)
    version = version or str(options.get("api_version") or DEFAULT_VERSION)
    express = bool(options.get("express"))
    if not _PLACE.fullmatch(location):
        raise _misconfigured(f"location {location!r} is not a Google Cloud location")
    host = deployment.base_url or vertex_host("global" if express else location)
    parent = "" if express else f"/projects/{_project(deployment)}/locations/{location}"
    return f"{host}/{version}{parent}/{_resource(deployment.model, publisher)}:{method}"


def vertex_host(location: str) -> str:
    """The host of a location: a region's own, the plain one of `global`, and those of `us` and `eu`."""
    if location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _project(deployment: Deployment) -> str:
    project = str(deployment.options.get("project") or "")
    if not _PROJECT.fullmatch(project):
        raise _misconfigured("no Google Cloud project is configured")
    return project


def _resource(model: str, publisher: str) -> str:
    if _ENDPOINT.fullmatch(model):
        return model
    name = model.removeprefix("models/").removeprefix(f"publishers/{publisher}/models/")
    if not _MODEL.fullmatch(name):  # nothing that a client writes may change the path
        raise ProxyError(
            ErrorKind.MODEL_NOT_FOUND, f"Vertex AI: {model!r} cannot be a model's name.", param="model"
        )
    return f"publishers/{publisher}/models/{name}"


def _misconfigured(what: str) -> ProxyError:
    return ProxyError(
        ErrorKind.UPSTREAM_AUTH,
        f"Vertex AI: {what}: set `project` and `location` of the provider, or an `api_key` for express mode.",
        headers={"x-should-retry": "false"},
    )
