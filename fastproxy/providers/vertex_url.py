"""Where Vertex AI answers, by location: the one place that knows Google's host names."""

from __future__ import annotations

_MULTI_REGIONS = ("us", "eu")
_GLOBAL = "global"


def vertex_base_url(location: str, override: str = "") -> str:
    """The base URL without a trailing slash; `override`, where set, wins.

    Source: "Vertex AI locations": a region has its own host, `global` (also the default) the plain one,
    and the multi-regions `us` and `eu` have hosts of the form `aiplatform.{location}.rep.googleapis.com`.
    """
    if override:
        return override.rstrip("/")
    if location in ("", _GLOBAL):
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"
