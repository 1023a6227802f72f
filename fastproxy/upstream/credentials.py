"""The credentials that are added at sending, because they expire: today Google's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastproxy.types import Deployment, Headers
from fastproxy.upstream.google_auth import GoogleCredential


class Credentials:
    """One credential for each deployment's `credential` name."""

    def __init__(self, google: Mapping[str, GoogleCredential]) -> None:
        self._google = google

    async def authorize(self, deployment: Deployment) -> tuple[Deployment, Headers]:
        """The deployment with its project filled in, and the headers to send. Raises UpstreamError.

        Waits only where there is no valid token at all.
        """
        credential = self._google[deployment.credential]
        headers = credential.headers() or await credential.ensure_headers()
        if not deployment.options.get("project"):
            options = {**deployment.options, "project": credential.project}
            deployment = replace(deployment, options=options)
        return deployment, headers

    def start(self) -> None:
        """Begins to fetch and renew tokens in the background."""
        for credential in self._google.values():
            credential.start()

    def status(self) -> dict[str, Any]:
        """Each credential's state by provider: no secrets."""
        return {name: credential.status() for name, credential in self._google.items()}

    async def aclose(self) -> None:
        """Ends the background work."""
        await asyncio.gather(*(credential.aclose() for credential in self._google.values()))
