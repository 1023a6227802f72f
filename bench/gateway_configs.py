"""The configuration of each gateway that is compared, as its makers advise for production. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from bench.targets import API_KEY

UPSTREAM_KEY = "sk-mock"
_NO_LIMIT = 1_000_000
_LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")


def nginx(upstream: str, port: int, workers: str) -> str:
    """nginx as a proxy: connections are kept (by default it closes each after 1,000 requests), and nothing is
    buffered, or no event would be passed on before the buffer is full. The access log is on, by default."""
    return f"""
worker_processes {workers};
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; }}
http {{
  access_log access.log;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream mock {{
    server {urlsplit(upstream).netloc};
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


def envoy(upstream: str, port: int) -> str:
    """Envoy as a proxy, by its own advice for benchmarks: no circuit breaking, no request ids. Its route
    timeout of 15 s is off, as it must be for streams."""
    cluster: dict[str, Any] = {
        "name": "mock",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": _endpoint("mock", urlsplit(upstream).port or 80),
        "circuit_breakers": {"thresholds": [dict.fromkeys(_LIMITS, _NO_LIMIT)]},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "mock", "timeout": "0s"}}
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "in",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    listener = {"name": "in", "address": _address(port), "filter_chains": [{"filters": filters}]}
    return orjson.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}).decode()


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _endpoint(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}


def litellm(upstream: str, models: Sequence[str]) -> str:
    """LiteLLM's configuration (YAML, of which JSON is a part): a key, and the mock as an OpenAI server."""
    parameters = {"api_base": f"{upstream}/v1", "api_key": UPSTREAM_KEY}
    config = {
        "model_list": [
            {"model_name": model, "litellm_params": {"model": f"openai/{model}", **parameters}}
            for model in models
        ],
        "general_settings": {"master_key": API_KEY},
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
    }
    return orjson.dumps(config).decode()


def portkey_headers(upstream: str) -> dict[str, str]:
    """Portkey takes its configuration from each request's headers."""
    return {
        "content-type": "application/json",
        "authorization": f"Bearer {UPSTREAM_KEY}",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": f"{upstream}/v1",
    }
