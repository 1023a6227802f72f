"""The status page in a real browser: it loads, lives, streams, stops, asks for a key, can be read by all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from testkit.browser import CHROMIUM, open_browser
from testkit.mock import SSE_HEADERS, MockUpstream, sse
from testkit.proxy import FastproxyProcess

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser (apt-get install chromium)"),
]

MODEL = "deepseek-chat"
ALL_MODELS, DEMO_ONLY = "sk-for-all-models", "sk-for-the-demo"
PROVIDER = """
[providers.deepseek]
api_key = "sk-upstream-secret"
base_url = "{url}"
max_retries = 0
"""
KEYS = f"""
[auth]
keys = [
  {{ name = "whole", key = "{ALL_MODELS}" }},
  {{ name = "part", key = "{DEMO_ONLY}", models = ["demo-*"] }},
]
"""
CONTRAST = """() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility() || node.matches("script, style")) continue;
    const style = getComputedStyle(node);
    const [a, b] = [light(node.closest("svg") ? style.fill : style.color), light(paper(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push([texts.currentNode.data, ratio]);
  }
  return faint;
}"""
"""Texts with less contrast than WCAG's AA wants."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as running:
        yield running


@pytest.fixture(scope="module")
def open_proxy() -> Iterator[FastproxyProcess]:
    """As a newcomer has it: no keys, no provider, open to this machine."""
    with FastproxyProcess("") as running:
        yield running


@pytest.fixture(scope="module")
def locked_proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    """With keys, and a provider."""
    with FastproxyProcess(KEYS + PROVIDER.format(url=mock_process.url)) as running:
        yield running


@contextmanager
def opened(browser: Browser, url: str, key: str = "", **options: Any) -> Iterator[Page]:
    """The page in a fresh profile; a fault in its console, and a request to others, is a failure."""
    complaints: list[str] = []
    with browser.new_context(**options) as context:
        context.set_default_timeout(8000)
        if key:
            context.add_init_script(f"sessionStorage.setItem('fastproxy-key', '{key}')")
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(_foreign(request.url, url)))
        page.goto(f"{url}/")
        yield page
    # the browser itself tells of every answer that is no good one
    assert [each for each in complaints if "Failed to load resource" not in each] == []


def _foreign(asked: str, url: str) -> list[str]:
    parts = urlsplit(asked)
    return [] if parts.scheme == "data" or parts.netloc == urlsplit(url).netloc else [f"asked {asked}"]


@pytest.fixture
def page(browser: Browser, locked_proxy: FastproxyProcess, mock: MockUpstream) -> Iterator[Page]:
    """The page with a key."""
    with opened(browser, locked_proxy.url, ALL_MODELS) as made:
        expect(made.locator("#state")).to_have_text("Running")
        yield made


def chunk(text: str) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def streams(mock: MockUpstream, *texts: str) -> None:
    """The mock streams these texts, each when the gate is released."""
    events = [*(chunk(text) for text in texts), chunk("") | {"choices": [_FINISH]}, _USAGE, "[DONE]"]
    mock.script(
        {"chunks": sse(events, gate="next"), "headers": SSE_HEADERS}, path="/chat/completions", model=MODEL
    )


_FINISH = {"index": 0, "delta": {}, "finish_reason": "stop"}
_USAGE = chunk("") | {
    "choices": [],
    "usage": {"prompt_tokens": 7, "completion_tokens": 12, "total_tokens": 19},
}


def say(page: Page, prompt: str, model: str) -> None:
    page.get_by_label("Model", exact=True).select_option(model)
    page.get_by_label("Your message").fill(prompt)
    page.get_by_label("Your message").press("Control+Enter")


def answer(page: Page) -> Any:
    return page.locator(".answer").last


def ask(proxy: FastproxyProcess, model: str, key: str = ALL_MODELS, **more: Any) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "a secret prompt"}], **more}
    headers = {"authorization": f"Bearer {key}"}
    httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, trust_env=False)


def refuses(mock: MockUpstream, status: int) -> None:
    error = {"error": {"message": "Not today."}}
    mock.script({"status": status, "json": error, "headers": {"retry-after": "7"}}, model=MODEL)


def test_the_page_shows_what_there_is(page: Page, locked_proxy: FastproxyProcess) -> None:
    expect(page).to_have_title("fastproxy")
    expect(page.locator("#base-url")).to_have_text(f"{locked_proxy.url}/v1")
    expect(page.locator("#providers li", has_text="deepseek")).to_contain_text("on")
    expect(page.locator("#providers li", has_text="vertex")).to_contain_text("gcloud auth")
    expect(page.locator("#no-provider")).to_be_hidden()
    expect(page.locator("#models")).to_contain_text(MODEL)


def test_a_newcomer_is_told_what_to_do(browser: Browser, open_proxy: FastproxyProcess) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with opened(browser, open_proxy.url, permissions=permissions) as page:
        expect(page.locator("#no-provider")).to_be_visible()
        expect(page.locator("#no-provider")).to_contain_text("fastproxy check")
        expect(page.locator("#requests")).to_contain_text("None yet")
        expect(page.locator("#charts")).to_contain_text("No requests yet")
        expect(page.get_by_label("Model", exact=True)).to_have_value("demo-chat")
        page.get_by_role("button", name="Copy").click()
        expect(page.locator("#copied")).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()") == f"{open_proxy.url}/v1"
        page.context.set_offline(True)
        expect(page.locator("#state")).to_have_text("Not reachable")
        page.context.set_offline(False)
        expect(page.locator("#state")).to_have_text("Running")


def test_charts_and_requests_move_when_requests_come(
    page: Page, locked_proxy: FastproxyProcess, mock: MockUpstream
) -> None:
    refuses(mock, 503)
    requests = page.locator(".chart", has_text="Requests")
    drawn = requests.locator("path.area").get_attribute("d") if requests.locator("path.area").count() else ""
    for model in ("demo-echo", MODEL):
        ask(locked_proxy, model)
    ask(locked_proxy, "demo-echo", stream=True)
    expect(requests.locator("path.area")).not_to_have_attribute("d", drawn or "")
    expect(requests.locator("rect")).not_to_have_count(0)  # what failed
    for title in ("Time to first token", "Overhead"):
        expect(page.locator(".chart", has_text=title).locator(".legend b").first).to_contain_text("ms")
    rows = page.locator("#requests tbody tr")
    expect(rows.first).to_contain_text("demo-echo")
    expect(rows.filter(has_text="503 overloaded")).not_to_have_count(0)
    expect(page.locator("#providers li", has_text="deepseek")).to_contain_text("overloaded")
    assert "a secret prompt" not in page.content()


def test_the_playground_shows_an_answer_while_it_comes(page: Page, mock: MockUpstream) -> None:
    streams(mock, "Hel", "lo, ", "world")
    say(page, "Greet me", MODEL)
    expect(answer(page)).to_contain_text("Waiting for the first token")
    mock.release("next")
    expect(answer(page).locator(".said").last).to_have_text("Hel")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "true")
    mock.release("next")
    expect(answer(page).locator(".said").last).to_have_text("Hello, ")
    mock.release("next", 4)
    expect(answer(page).locator(".said").last).to_have_text("Hello, world")
    for fact in (r"First token\s*\d", r"Total\s*\d", "7 in, 12 out", r"Overhead\s*\d", f"deepseek, {MODEL}"):
        expect(answer(page).locator(".facts")).to_contain_text(re.compile(fact))
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false")


def test_a_conversation_goes_on_and_begins_anew(page: Page, mock: MockUpstream) -> None:
    page.get_by_text("Instructions and temperature").click()
    page.get_by_label("System prompt").fill("Be brief")
    page.get_by_label("Temperature").fill("0.5")
    for prompt in ("One", "Two"):
        say(page, prompt, MODEL)
        expect(answer(page).locator(".facts")).to_contain_text("Total")
    body = mock.requests()[-1].json()
    assert body["temperature"] == 0.5
    assert [(message["role"], message["content"]) for message in body["messages"]] == [
        ("system", "Be brief"),
        ("user", "One"),
        ("assistant", "Hello from the mock."),
        ("user", "Two"),
    ]
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".answer")).to_have_count(0)
    say(page, "Three", MODEL)
    expect(answer(page).locator(".facts")).to_contain_text("Total")
    assert [message["content"] for message in mock.requests()[-1].json()["messages"]] == ["Be brief", "Three"]


@pytest.mark.parametrize("how", ["button", "Escape"])
def test_stop_ends_the_answer_here_and_at_the_provider(page: Page, mock: MockUpstream, how: str) -> None:
    streams(mock, "Hel", "lo")
    mock.release("next")
    say(page, "Greet me", MODEL)
    expect(answer(page)).to_contain_text("Hel")
    if how == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    expect(answer(page)).to_contain_text("Stopped.")
    mock.wait("aborted")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(page.get_by_label("Your message")).to_be_focused()


def test_a_refusal_is_shown_whole_and_the_prompt_comes_back(page: Page, mock: MockUpstream) -> None:
    refuses(mock, 429)
    say(page, "Try this", MODEL)
    fault = answer(page).locator(".fault")
    expect(fault).to_contain_text("Not today.")
    for fact in ("429", "rate_limit_exceeded", "7 s", "req_"):
        expect(fault).to_contain_text(fact)
    expect(page.get_by_label("Your message")).to_have_value("Try this")


def test_a_stream_that_breaks_is_shown_as_an_error(page: Page) -> None:
    say(page, "Go", "demo-error-midstream")
    expect(answer(page).locator(".said").last).to_have_text("This answer breaks off in the")
    expect(answer(page).locator(".fault")).to_contain_text("broke off")
    expect(answer(page).locator(".fault")).to_contain_text("bad_response")


def test_what_a_model_says_is_text(page: Page) -> None:
    said = "<img src=x onerror=\"document.title='gone'\"> & <b>bold</b>"
    say(page, said, "demo-echo")
    expect(answer(page).locator(".said").last).to_have_text(said)
    expect(page.locator("#log img, #log b")).to_have_count(0)
    expect(page).to_have_title("fastproxy")


def test_reasoning_is_folded_away(page: Page, mock: MockUpstream) -> None:
    thought = chunk("")
    thought["choices"][0]["delta"] = {"reasoning_content": "Let me think"}
    mock.script(
        {"chunks": sse([thought, chunk("Yes"), chunk("") | {"choices": [_FINISH]}, "[DONE]"])},
        path="/chat/completions",
        model=MODEL,
    )
    say(page, "Is it?", MODEL)
    expect(answer(page).locator(".said").last).to_have_text("Yes")
    expect(answer(page).get_by_text("Let me think")).to_be_hidden()
    answer(page).get_by_text("Reasoning").click()
    expect(answer(page).get_by_text("Let me think")).to_be_visible()


def test_a_hidden_page_asks_nothing(page: Page) -> None:
    with page.expect_response("**/status"):
        pass
    page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.wait_for_timeout(1500)
    assert "/status" not in asked
    with page.expect_response("**/status"):
        page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the playground")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#playground")).to_be_focused()
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["new-chat", "model", "SUMMARY", "log", "prompt", "send"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("Hello there")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(answer(page).locator(".facts")).to_contain_text("Total")
    expect(page.get_by_label("Your message")).to_be_focused()


def test_everything_has_a_name(page: Page) -> None:
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, textarea, svg, [tabindex='0']")]
        .filter((node) => !(node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim()
          || node.getAttribute("aria-labelledby"))).map((node) => node.outerHTML)"""
    )
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1360])
def test_it_is_readable_in_every_size_and_scheme(
    browser: Browser, locked_proxy: FastproxyProcess, mock: MockUpstream, scheme: Any, width: int
) -> None:
    refuses(mock, 503)
    ask(locked_proxy, "demo-echo", stream=True)
    options: dict[str, Any] = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    with opened(browser, locked_proxy.url, ALL_MODELS, **options) as page:
        say(page, "Hello", MODEL)
        expect(answer(page).locator(".fault")).to_be_visible()
        expect(page.locator("#requests tbody tr").first).to_contain_text("503")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", paper)[0]) > 128) == (scheme == "light")
        assert page.evaluate(CONTRAST) == []


def enter(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_a_locked_proxy_asks_for_its_key(browser: Browser, locked_proxy: FastproxyProcess) -> None:
    ask(locked_proxy, "demo-echo", ALL_MODELS)
    with opened(browser, locked_proxy.url) as page:
        expect(page.get_by_label("API key")).to_be_focused()
        expect(page.locator("#board")).to_be_hidden()
        enter(page, "sk-wrong")
        expect(page.get_by_role("alert")).to_contain_text("Incorrect API key")
        enter(page, "ключ")
        expect(page.get_by_role("alert")).to_contain_text("characters")
        enter(page, ALL_MODELS)
        expect(page.locator("#requests tbody tr").first).to_contain_text("whole")
        stored = page.evaluate("[{ ...sessionStorage }, localStorage.length, document.cookie]")
        assert stored == [{"fastproxy-key": ALL_MODELS}, 0, ""]
        page.reload()
        expect(page.locator("#state")).to_have_text("Running")
        page.get_by_role("button", name="Forget key").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0


def test_a_restricted_key_sees_its_own_only(browser: Browser, locked_proxy: FastproxyProcess) -> None:
    ask(locked_proxy, MODEL, ALL_MODELS)
    ask(locked_proxy, "demo-echo", DEMO_ONLY)
    with opened(browser, locked_proxy.url) as page:
        enter(page, DEMO_ONLY)
        rows = page.locator("#requests tbody tr")
        expect(rows.first).to_contain_text("part")
        expect(rows.filter(has_text="whole")).to_have_count(0)
        expect(page.locator("#requests-note")).to_contain_text("part")
        expect(page.locator("#models")).not_to_contain_text(MODEL)


def test_a_tunnel_is_refused_and_told_why(browser: Browser, open_proxy: FastproxyProcess) -> None:
    with opened(browser, open_proxy.url, extra_http_headers={"x-forwarded-for": "203.0.113.9"}) as page:
        expect(page.get_by_role("alert")).to_contain_text("tunnel")
        expect(page.get_by_label("API key")).to_be_hidden()
        expect(page.locator("#board")).to_be_hidden()
