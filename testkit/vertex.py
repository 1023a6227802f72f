"""Vertex AI at the mock upstream: a service account that is worth nothing, and the provider's table."""

from __future__ import annotations

from functools import cache

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT = "file-project"
CREDENTIALS = "service-account.json"
"""The name under which a proxy finds the file beside its configuration."""


@cache
def private_key() -> str:
    """An RSA key in PEM, made once for each process."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def service_account(token_uri: str) -> dict[str, str]:
    """A service account that asks `token_uri` for its tokens."""
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key": private_key(),
        "client_email": f"robot@{PROJECT}.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


def vertex_table(upstream: str) -> str:
    """[providers.vertex] for a proxy whose `files` are `credentials(upstream)`."""
    return f'[providers.vertex]\nbase_url = "{upstream}"\ncredentials_file = "{CREDENTIALS}"\n'


def credentials(upstream: str) -> dict[str, str]:
    """The credentials file, by its name, of a service account at the mock upstream."""
    return {CREDENTIALS: orjson.dumps(service_account(f"{upstream}/token")).decode()}
