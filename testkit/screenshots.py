"""Takes the pictures of docs/status-page.md: the status page of a proxy with traffic, in a real browser.

python -m testkit.screenshots          (or: make screenshots; two minutes)
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page

from testkit.browser import open_browser
from testkit.formats import GEMINI, OPENAI, Format
from testkit.mock import MockUpstream, sse
from testkit.process import ROOT
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table

FOLDER = ROOT / "docs" / "images"
ANSWER = (
    "A proxy stands in the middle and should be felt by nobody: it passes each piece on as it comes, says "
    "plainly what went wrong, and adds less time than a blink has milliseconds."
)
QUESTION = "What makes a good proxy? One sentence."

_VARIANTS = 400
"""So many different replies of a model; the last one goes on for ever."""


class Model:
    """A model at the mock, and how its answers come."""

    def __init__(self, name: str, wire_format: Format, first_ms: float, pause: float) -> None:
        self.name, self.wire_format, self.first_ms = name, wire_format, first_ms
        self.pause = pause
        """Mean seconds between a client's requests."""

    def reply(self, chance: random.Random) -> dict[str, Any]:
        """One streamed answer, about as late and as long as real ones are."""
        template = self.wire_format.stream(self.name, True)
        words = chance.randint(8, 40)
        said = [template.before_text + b" word" + template.after_text] * words
        chunks = [piece.decode() for piece in (*template.opening, *said, *template.closing)]
        return {
            "chunks": chunks,
            "headers": {"content-type": template.content_type},
            "delay_before_ms": self.first_ms * chance.lognormvariate(0, 0.35),
            "paced": 60,
        }


MODELS = (
    Model("gemini-2.5-flash", GEMINI, 220, 0.35),
    Model("gemini-2.5-pro", GEMINI, 420, 0.9),
    Model("deepseek-chat", OPENAI, 310, 0.5),
)
FAILING = "deepseek-reasoner"


def program(mock: MockUpstream) -> None:
    """Teaches the mock its answers."""
    chance = random.Random(7)  # noqa: S311 - the same pictures each time, or nearly
    for model in MODELS:
        mock.script(*(model.reply(chance) for _ in range(_VARIANTS)), model=model.name)
    error = {"error": {"message": "The engine is overloaded, try again later."}}
    mock.script({"status": 503, "json": error, "delay_before_ms": 90}, model=FAILING)


def tell_the_answer(mock: MockUpstream) -> None:
    """From now on deepseek-chat says ANSWER."""
    template = OPENAI.stream("deepseek-chat", False)
    words = [f" {word}".encode() for word in ANSWER.split(" ")]
    said = [template.before_text + word + template.after_text for word in [words[0].strip(), *words[1:]]]
    usage = {"prompt_tokens": 14, "completion_tokens": len(words), "total_tokens": 14 + len(words)}
    chunks = [piece.decode() for piece in (*template.opening, *said, template.closing[0])]
    chunk = {"id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    mock.script(
        {
            "chunks": [*chunks, *sse([chunk | {"choices": [], "usage": usage}, "[DONE]"])],
            "headers": {"content-type": template.content_type},
            "delay_before_ms": 280,
            "paced": 60,
        },
        model="deepseek-chat",
    )


@contextmanager
def traffic(url: str) -> Iterator[None]:
    """Clients at the proxy, until the end of the block."""
    ended = threading.Event()

    def ask(model: str, pause: float) -> None:
        chance = random.Random(model)  # noqa: S311 - when to ask
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            while not ended.wait(chance.expovariate(1 / pause)):
                client.post("/v1/chat/completions", json=body)

    clients = [(model.name, model.pause) for model in MODELS for _ in range(2)] + [(FAILING, 9.0)]
    threads = [threading.Thread(target=ask, args=client) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def take(browser: Browser, url: str, name: str, scheme: Literal["light", "dark"], width: int) -> None:
    """One picture of the window."""
    height = 1200 if width < 500 else 1250
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        device_scale_factor=2 if width < 500 else 1,
    )
    with context:
        page = context.new_page()
        page.goto(f"{url}/")
        page.get_by_label("Model", exact=True).select_option("deepseek-chat")
        page.get_by_label("Your message").fill(QUESTION)
        page.get_by_label("Your message").press("Control+Enter")
        page.locator(".answer .facts").wait_for()
        settle(page)
        page.screenshot(path=FOLDER / f"status-page-{name}.png")


def settle(page: Page) -> None:
    """Nothing has the focus, and the top is in sight."""
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    time.sleep(1.5)


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(description="Pictures of the status page for the docs.")
    parser.add_argument("--seconds", type=float, default=130, help="how long traffic runs before")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with MockUpstream() as mock:
        program(mock)
        config = vertex_table(mock.url) + (
            f'[providers.deepseek]\napi_key = "sk-mock"\nbase_url = "{mock.url}"\nmax_retries = 0\n'
            f'[providers.ollama]\nbase_url = "{mock.url}"\n'
        )
        with (
            open_browser() as browser,
            FastproxyProcess(config, files=credentials(mock.url)) as proxy,
            traffic(proxy.url),
        ):
            time.sleep(arguments.seconds)
            tell_the_answer(mock)
            take(browser, proxy.url, "light", "light", 1360)
            take(browser, proxy.url, "dark", "dark", 1360)
            take(browser, proxy.url, "phone", "light", 390)


if __name__ == "__main__":
    main()
