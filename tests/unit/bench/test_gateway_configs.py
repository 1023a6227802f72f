"""Each gateway is configured for the mock, and for many streams."""

from __future__ import annotations

import orjson

from bench import gateway_configs as configs
from bench.gateway_process import in_one_line
from bench.gateways import GATEWAYS, Place
from bench.targets import API_KEY

UPSTREAM = "http://127.0.0.1:9999"


def test_nginx_passes_events_on_at_once_over_kept_connections() -> None:
    text = configs.nginx(UPSTREAM, 4000, "1")
    assert "listen 127.0.0.1:4000" in text
    assert "server 127.0.0.1:9999;" in text
    assert "proxy_buffering off;" in text
    assert text.count("{") == text.count("}")


def test_envoy_has_no_limit_on_streams() -> None:
    document = orjson.loads(configs.envoy(UPSTREAM, 4000))["static_resources"]
    (cluster,), (listener,) = document["clusters"], document["listeners"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"]["port_value"] == 9999
    assert listener["address"]["socket_address"]["port_value"] == 4000
    assert set(cluster["circuit_breakers"]["thresholds"][0].values()) == {1_000_000}
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    route = manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    assert route == {"cluster": "mock", "timeout": "0s"}


def test_litellm_knows_every_model_that_is_asked_for_and_checks_a_key() -> None:
    document = orjson.loads(configs.litellm(UPSTREAM, ["bench-n1", "bench-n9-r5"]))
    parameters = [model["litellm_params"] for model in document["model_list"]]
    assert [given["model"] for given in parameters] == ["openai/bench-n1", "openai/bench-n9-r5"]
    assert {given["api_base"] for given in parameters} == {f"{UPSTREAM}/v1"}
    assert document["general_settings"]["master_key"] == API_KEY


def test_portkey_is_told_of_the_mock_by_headers() -> None:
    headers = configs.portkey_headers(UPSTREAM)
    assert headers["x-portkey-custom-host"] == f"{UPSTREAM}/v1"
    assert headers["x-portkey-provider"] == "openai"


def test_every_gateway_has_its_own_name_and_a_command_on_the_port() -> None:
    place = Place(UPSTREAM, 4321, ["bench-n1"])
    assert len({gateway.name for gateway in GATEWAYS}) == len(GATEWAYS)
    for gateway in GATEWAYS:
        told = " ".join([*gateway.command(place), *gateway.files(place).values()])
        assert "4321" in told, gateway.name
        assert UPSTREAM.removeprefix("http://").partition(":")[2] in told + str(gateway.headers(place))


def test_a_version_is_found_in_what_programs_say_of_themselves() -> None:
    assert in_one_line("nginx version: nginx/1.22.1\n") == "1.22.1"
    assert in_one_line("/x/1/envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL") == "1.40.0"
    assert in_one_line("\nLiteLLM: Current Version = 1.106.2\n") == "1.106.2"
    assert in_one_line("bench/bare_relay.py\n") == "bench/bare_relay.py"
