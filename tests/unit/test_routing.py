"""From the name of a model to the place that answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastproxy.errors import ErrorKind, ProxyError
from fastproxy.routing import ProviderEntry, Router, RouteRule
from fastproxy.types import Deployment


def entry(
    name: str, *prefixes: str, strips: bool = False, off: str = "", models: tuple[str, ...] = ()
) -> ProviderEntry:
    place = Deployment(name, name, "", f"https://{name}.example")
    return ProviderEntry(name, prefixes, strips, place, models, off_reason=off)


CLAUDE = entry("claude", "claude-", off="install the claude CLI")
ANTHROPIC = entry("anthropic", "claude-", models=("claude-opus-4-5",))
VERTEX = replace(
    entry("vertex", "gemini-", "claude-", models=("gemini-2.5-pro", "gemini-2.5-flash")),
    variants=(("claude-", "vertex-claude"),),
)
DEEPSEEK = entry("deepseek", "deepseek-", off="set DEEPSEEK_API_KEY", models=("deepseek-chat",))
OLLAMA = entry("ollama", "ollama-", strips=True)
NAMELESS = entry("box", strips=True)
ENTRIES = (CLAUDE, ANTHROPIC, VERTEX, DEEPSEEK, OLLAMA, NAMELESS)
ALIASES = {"gm-pro": "gemini-2.5-pro", "mine": "box/qwen", "gpt-4o": "gemini-2.5-flash"}


def router(default: str = "", *rules: RouteRule) -> Router:
    return Router(ENTRIES, rules=rules, aliases=ALIASES, default_model=default)


def place(model: str, *rules: RouteRule) -> str:
    (deployment,) = router("", *rules).resolve(model).deployments
    return f"{deployment.provider}:{deployment.kind}:{deployment.model}"


def refusal(model: str, by: Router | None = None) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        (by or router()).resolve(model)
    return caught.value


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-pro", "vertex:vertex:gemini-2.5-pro"),
        ("gemini-never-heard-of", "vertex:vertex:gemini-never-heard-of"),
        ("claude-opus-4-5", "anthropic:anthropic:claude-opus-4-5"),
        ("vertex/claude-opus-4-5", "vertex:vertex-claude:claude-opus-4-5"),
        ("ollama-llama3.2:3b", "ollama:ollama:llama3.2:3b"),
        ("ollama/llama3.2:3b", "ollama:ollama:llama3.2:3b"),
        ("ollama/library/qwen", "ollama:ollama:library/qwen"),
        ("box/qwen", "box:box:qwen"),
        ("gm-pro", "vertex:vertex:gemini-2.5-pro"),
        ("mine", "box:box:qwen"),
    ],
)
def test_a_name_leads_to_a_place(model: str, expected: str) -> None:
    assert place(model) == expected


def test_a_route_keeps_the_name_that_was_asked_for_and_the_one_behind_it() -> None:
    route = router().resolve("gm-pro")
    assert (route.model, route.canonical) == ("gm-pro", "gemini-2.5-pro")


def test_rules_come_before_prefixes_and_the_first_that_fits_wins() -> None:
    rules = (RouteRule("claude-opus*", "vertex"), RouteRule("claude-*", "ollama"), RouteRule("gpt-*", "box"))
    assert place("claude-opus-4-5", *rules) == "vertex:vertex-claude:claude-opus-4-5"
    assert place("claude-haiku", *rules) == "ollama:ollama:claude-haiku"
    assert place("gpt-5", *rules) == "box:box:gpt-5"
    assert place("anthropic/claude-opus-4-5", *rules) == "anthropic:anthropic:claude-opus-4-5"


def test_no_name_means_the_default_model() -> None:
    route = router("gm-pro").resolve("")
    assert (route.model, route.canonical) == ("gm-pro", "gemini-2.5-pro")


def test_no_name_and_no_default_is_told_with_the_remedy() -> None:
    error = refusal("")
    assert (error.kind, error.param) == (ErrorKind.INVALID_REQUEST, "model")
    assert "server.default_model" in error.message


def test_a_default_model_that_does_not_exist_is_named() -> None:
    assert "'gemni-2.5-pro'" in refusal("", router("gemni-2.5-pro")).message
    assert "'deepseek-chat'" in refusal("", router("deepseek-chat")).message


def test_a_provider_that_is_off_says_why() -> None:
    error = refusal("deepseek-chat")
    assert (error.kind, error.param) == (ErrorKind.MODEL_NOT_FOUND, "model")
    assert "'deepseek', which is off: set DEEPSEEK_API_KEY." in error.message
    assert "install the claude CLI" in refusal("claude/opus").message


def test_only_where_all_providers_of_a_prefix_are_off_is_it_off() -> None:
    both_off = Router((CLAUDE, replace(ANTHROPIC, off_reason="set ANTHROPIC_API_KEY")))
    assert "install the claude CLI" in refusal("claude-opus-4-5", both_off).message


@pytest.mark.parametrize("model", ["gemni-2.5-pro", "gemini2.5-pro"])
def test_an_unknown_model_names_the_nearest(model: str) -> None:
    error = refusal(model)
    assert error.kind is ErrorKind.MODEL_NOT_FOUND
    assert "Did you mean gemini-2.5-pro" in error.message


@pytest.mark.parametrize(
    "model", ["zzz", "ollama/", "ollama-", "box/", "/", "GEMINI-2.5-pro/x", "nobody/model"]
)
def test_a_name_without_a_place_is_unknown(model: str) -> None:
    assert refusal(model).kind is ErrorKind.MODEL_NOT_FOUND


def test_an_unknown_model_without_a_near_one_points_to_the_list() -> None:
    assert "GET /v1/models" in refusal("zzz").message


def test_the_nearest_are_models_that_can_be_called() -> None:
    assert "deepseek-chat" not in refusal("deepsek-chat").message
    assert router().known_models() == ["claude-opus-4-5", "gemini-2.5-pro", "gemini-2.5-flash", *ALIASES]


def test_huge_names_stay_out_of_messages_and_memory() -> None:
    chosen = router()
    for prefix in ("zzz", "deepseek-"):
        assert len(refusal(prefix + "x" * 100_000, chosen).message) < 1000
    assert chosen.resolve("gemini-" + "x" * 100_000).deployments[0].provider == "vertex"
    assert sum(map(len, chosen._cache)) < 1000


def test_any_number_of_names_takes_bounded_memory() -> None:
    chosen = router()
    for number in range(3000):
        chosen.resolve(f"gemini-{number}")
    assert len(chosen._cache) <= 1024
    assert chosen.resolve("gemini-2") is chosen.resolve("gemini-2")


def test_a_repr_tells_who_is_on() -> None:
    assert repr(router()) == "<Router on=anthropic,vertex,ollama,box aliases=3>"


CHAIN = ["gemini-2.5-flash", "deepseek-chat", "ollama-llama3.2"]
"""DeepSeek is off in ENTRIES."""


def chained(model: str, *rules: RouteRule, chain: list[str] = CHAIN) -> list[str]:
    route = Router(ENTRIES, rules=rules, aliases=ALIASES, chain=chain).resolve(model)
    assert len(route.names) == len(route.deployments)
    assert route.names[0] == route.canonical
    return [f"{deployment.provider}:{deployment.model}" for deployment in route.deployments]


def test_the_chain_follows_every_model_without_those_that_are_off() -> None:
    assert chained("box/qwen") == ["box:qwen", "vertex:gemini-2.5-flash", "ollama:llama3.2"]
    assert chained("box/qwen", chain=[]) == ["box:qwen"]


def test_a_link_of_the_chain_is_followed_by_the_links_after_it() -> None:
    assert chained("gemini-2.5-flash") == ["vertex:gemini-2.5-flash", "ollama:llama3.2"]
    assert chained("gpt-4o") == ["vertex:gemini-2.5-flash", "ollama:llama3.2"]
    assert chained("ollama-llama3.2") == ["ollama:llama3.2"]


def test_a_rule_has_a_list_of_its_own_and_an_empty_one_means_none() -> None:
    rule = RouteRule("qwen*", "box", ("gm-pro", "claude-opus-4-5"))
    assert chained("qwen3", rule) == ["box:qwen3", "vertex:gemini-2.5-pro", "anthropic:claude-opus-4-5"]
    assert chained("qwen3", RouteRule("qwen*", "box", ())) == ["box:qwen3"]
    assert chained("qwen3", RouteRule("qwen*", "box")) == [
        "box:qwen3",
        "vertex:gemini-2.5-flash",
        "ollama:llama3.2",
    ]


def test_nobody_falls_back_to_itself() -> None:
    rule = RouteRule("gemini-*", "vertex", ("vertex/gemini-2.5-pro", "ollama-llama3.2"))
    assert chained("gemini-2.5-pro", rule) == ["vertex:gemini-2.5-pro", "ollama:llama3.2"]


def test_a_model_whose_provider_is_off_is_refused_all_the_same() -> None:
    error = refusal("deepseek-chat", Router(ENTRIES, chain=CHAIN))
    assert "DEEPSEEK_API_KEY" in error.message


def read(model: str, by: Router | None = None) -> tuple[str, str]:
    """(what the name leads to at its provider, the effort)."""
    route = (by or router()).resolve(model)
    assert route.model == model
    return f"{route.deployments[0].provider}:{route.deployments[0].model}", route.effort


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gm-2.5-flash", "vertex:gemini-2.5-flash"),
        ("cl-opus-4-5", "anthropic:claude-opus-4-5"),
        ("ol-llama3.2:3b", "ollama:llama3.2:3b"),
        ("custom-gm-2.5-pro", "vertex:gemini-2.5-pro"),
        ("mb-gemini-2.5-pro", "vertex:gemini-2.5-pro"),
        ("openai/gemini-2.5-pro", "vertex:gemini-2.5-pro"),
        ("models/gemini-2.5-pro", "vertex:gemini-2.5-pro"),
        ("vertex_ai/gm-2.5-pro", "vertex:gemini-2.5-pro"),
        ("custom-mine", "box:qwen"),
    ],
)
def test_a_neutral_name_and_one_with_an_optional_prefix_lead_to_the_model(model: str, expected: str) -> None:
    assert read(model) == (expected, "")


def test_a_neutral_name_is_an_alias_and_a_prefix_is_no_part_of_one() -> None:
    route = router().resolve("custom-gm-2.5-flash-high")
    assert (route.canonical, route.names) == ("gemini-2.5-flash", ("gemini-2.5-flash",))
    assert (route.alias, route.effort) == ("gm-2.5-flash", "high")


def test_a_provider_or_an_alias_of_that_name_comes_before_what_it_may_mean() -> None:
    own = Router((*ENTRIES, entry("custom", "custom-", strips=True)), aliases={"gm-2.5-pro": "box/mine"})
    assert read("custom-gemini-2.5-pro", own) == ("custom:gemini-2.5-pro", "")
    assert read("gm-2.5-pro", own) == ("box:mine", "")


def test_neutral_names_can_be_switched_off() -> None:
    assert refusal("gm-2.5-pro", Router(ENTRIES, neutral_names=False)).kind is ErrorKind.MODEL_NOT_FOUND


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-pro-high", ("vertex:gemini-2.5-pro", "high")),
        ("gm-2.5-pro-thinking-high", ("vertex:gemini-2.5-pro", "high")),
        ("gm-2.5-pro-thinking", ("vertex:gemini-2.5-pro", "medium")),
        ("gm-pro-none", ("vertex:gemini-2.5-pro", "none")),
        ("claude-opus-4-5-xhigh", ("anthropic:claude-opus-4-5", "xhigh")),
        ("cl-never-heard-of-max", ("anthropic:claude-never-heard-of", "max")),
        ("cl-opus-4-5[effort=low,fast=true]", ("anthropic:claude-opus-4-5", "low")),
        ("cl-opus-4-5[fast=true]", ("anthropic:claude-opus-4-5", "")),
        ("mine-low", ("box:qwen", "low")),
        ("ollama-qwen3:4b[effort=high]", ("ollama:qwen3:4b", "high")),
    ],
)
def test_an_effort_at_the_end_is_read(model: str, expected: tuple[str, str]) -> None:
    assert read(model) == expected


@pytest.mark.parametrize(
    "model",
    [
        "ollama-llama3.2:3b",
        "ollama-qwen3:4b-thinking",
        "ollama-qwen3:4b-high",
        "gemini-2.5-flash",
        "box/qwen3-max",
    ],
)
def test_a_name_that_may_be_a_models_own_is_left_alone(model: str) -> None:
    assert read(model)[1] == ""
    assert read(model)[0].endswith(model.removeprefix("ollama-").removeprefix("box/"))


def test_a_listed_name_wins_over_its_effort_and_a_listed_base_over_an_unlisted_name() -> None:
    chosen, listed = router(), {"qwen3", "qwen3-max", "kimi:1b"}
    chosen.lists = lambda deployment: deployment.model in listed
    assert read("box/qwen3-max", chosen) == ("box:qwen3-max", "")
    assert read("box/qwen3-high", chosen) == ("box:qwen3", "high")
    assert read("ol-kimi:1b-high", chosen) == ("ollama:kimi:1b", "high")
    assert read("ol-kimi:1b-thinking", chosen) == ("ollama:kimi:1b-thinking", "")


def test_what_was_read_without_a_list_is_read_anew_when_there_is_one() -> None:
    chosen = router()
    assert read("box/qwen3-high", chosen) == ("box:qwen3-high", "")
    chosen.lists = lambda deployment: deployment.model == "qwen3"
    assert read("box/qwen3-high", chosen) == ("box:qwen3", "high")
    assert chosen.resolve("box/qwen3-high") is chosen.resolve("box/qwen3-high")


@pytest.mark.parametrize(
    "model", ["gemini-2.5-pro", "vertex/gemini-2.5-pro", "gm-pro", "models/gemini-2.5-pro"]
)
def test_a_model_is_known_by_the_same_names_however_it_is_asked_for(model: str) -> None:
    entries = [replace(entry, prefix=entry.prefixes[0]) if entry.prefixes else entry for entry in ENTRIES]
    made = Router(entries, aliases=ALIASES)
    names = made.names_of(made.resolve(model))
    assert {"gemini-2.5-pro", "vertex/gemini-2.5-pro"} <= set(names)
