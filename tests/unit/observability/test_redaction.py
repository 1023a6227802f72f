"""No secret stands in a logged body, and no image fills it."""

from __future__ import annotations

import base64
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastproxy.observability.redaction import HIDDEN, Redactor

SECRETS = [
    "sk-proj-4f9aZq8bXw12CdEfGh",
    "sk-ant-api03-Zx9_y8-w7V6u5T4s3",
    "AIzaSyA1234567890abcdefghijklmnopqrstu",
    "ya29.a0AfB_byC-1234567890",
    "GOCSPX-1a2b3c4d5e6f",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "hf_abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "my key is {}, keep it", '{{"content": "use {} here"}}', "({})"])
def test_what_looks_like_a_secret_is_hidden(secret: str, around: str) -> None:
    told = Redactor().redact(around.format(secret))
    assert secret not in told
    assert HIDDEN in told
    assert told.replace(HIDDEN, "") == around.format("")


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "api-key",
        "x-api-key",
        "Authorization",
        "password",
        "client_secret",
        "access_token",
    ],
)
def test_what_stands_in_a_secrets_field_is_hidden(name: str) -> None:
    told = Redactor().redact(orjson.dumps({name: 'hun ter\\2"x', "model": "m"}).decode())
    assert orjson.loads(told) == {name: HIDDEN, "model": "m"}


def test_a_secrets_field_inside_of_a_string_is_hidden_too() -> None:
    arguments = orjson.dumps({"password": "hunter2", "max_tokens": 5}).decode()
    told = Redactor().redact(orjson.dumps({"arguments": arguments}).decode())
    assert orjson.loads(orjson.loads(told)["arguments"]) == {"password": HIDDEN, "max_tokens": 5}


def test_a_secret_that_is_cut_off_is_hidden() -> None:
    assert Redactor().redact('{"password":"hunt') == '{"password":"' + HIDDEN
    assert Redactor().redact("take sk-abcdef") == f"take {HIDDEN}"


@pytest.mark.parametrize(
    "text",
    [
        '{"max_tokens":5,"prompt_tokens":3,"token":"hello","key":"a","secretary":"Ann"}',
        "a task-force of risk-takers asks about sk- and Bearer of news",
        "https://example.org/a/rather/long/path/with/many/parts/but/no/secret",
        "The quick brown fox. " * 50,
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Redactor().redact(text) == text


def test_bearer_tokens_are_hidden_whatever_they_look_like() -> None:
    assert Redactor().redact("authorization: Bearer abc123def456") == f"authorization: Bearer {HIDDEN}"


def test_the_keys_of_the_configuration_are_hidden_wherever_they_stand() -> None:
    redactor = Redactor(["correct horse", "correct horse battery", "abc"])
    assert redactor.redact("<correct horse battery>correct horse abc") == f"<{HIDDEN}>{HIDDEN} abc"


def test_inline_images_are_shortened() -> None:
    image = base64.b64encode(bytes(range(256)) * 40).decode()
    body = orjson.dumps({"url": f"data:image/png;base64,{image}", "text": "what is this?"}).decode()
    told = orjson.loads(Redactor().redact(body))
    assert told["text"] == "what is this?"
    assert told["url"] == f"data:image/png;base64,{image[:16]}…[{len(image)} characters of base64]"


@given(st.text(max_size=300), st.sampled_from(SECRETS))
def test_no_text_around_a_configured_secret_shows_it(text: str, secret: str) -> None:
    assert secret not in Redactor([secret]).redact(f"{text}{secret}{text}")


def test_a_body_of_backslashes_is_read_once() -> None:
    began = time.process_time()
    text = "\\" * 300_000
    assert Redactor().redact(text) == text
    assert time.process_time() - began < 2  # minutes, were each of them a beginning
