"""Embeddings by the OpenAI SDK through the running proxy: Ollama, Vertex AI, servers of OpenAI's format."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from testkit.exposition import Samples
from testkit.mock import MockUpstream
from testkit.proxy import FastproxyProcess
from testkit.vertex import credentials, vertex_table
from tests.integration.conftest import KEY, PROVIDERS

VECTORS = [[0.5, -0.25, 1.0], [0.125, 2.0, -3.0]]
OLLAMA, GEMINI, PREDICT, BOX = (
    "ollama-nomic-embed-text",
    "gemini-embedding-001",
    "text-embedding-005",
    "local-embedder",
)


@pytest.fixture(scope="module")
def proxy(mock_process: MockUpstream) -> Iterator[FastproxyProcess]:
    url = mock_process.url
    config = (
        PROVIDERS.format(url=url, key=KEY) + vertex_table(url) + f'[providers.ollama]\nbase_url = "{url}"\n'
    )
    with FastproxyProcess(config, files=credentials(url)) as running:
        yield running


def script(mock: MockUpstream, model: str, count: int = 2) -> None:
    """Has the mock answer `count` vectors in the format of the model's provider."""
    vectors = VECTORS[:count]
    one = {"embedding": {"values": VECTORS[0]}, "usageMetadata": {"promptTokenCount": 7}}
    many = {
        "embeddings": [{"values": vector} for vector in vectors],
        "usageMetadata": {"promptTokenCount": 7},
    }
    predictions = [
        {"embeddings": {"values": vector, "statistics": {"token_count": tokens}}}
        for vector, tokens in zip(vectors, (7, 0), strict=False)
    ]
    data = [
        {"object": "embedding", "index": index, "embedding": base64.b64encode(array("f", vector)).decode()}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    answers: dict[str, tuple[str, Any]] = {
        OLLAMA: ("/api/embed", {"model": "m", "embeddings": vectors, "prompt_eval_count": 7}),
        GEMINI: (":embedContent", one) if count == 1 else (":batchEmbedContents", many),
        PREDICT: (":predict", {"predictions": predictions}),
        BOX: ("/embeddings", {"object": "list", "model": "their-name", "data": data, "usage": usage}),
    }
    path, answer = answers[model]
    mock.script({"json": answer}, path=path)


every_model = pytest.mark.parametrize("model", [OLLAMA, GEMINI, PREDICT, BOX])
translated = pytest.mark.parametrize("model", [OLLAMA, GEMINI, PREDICT])


@every_model
def test_a_list_of_texts_gives_vectors_in_their_order(
    client: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    script(mock, model)
    answer = client.embeddings.create(model=model, input=["one", "two"])
    assert [item.embedding for item in answer.data] == VECTORS
    assert [item.index for item in answer.data] == [0, 1]
    assert answer.model == model
    assert answer.object == "list"
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (7, 7)


@every_model
def test_one_text_gives_one_vector(client: openai.OpenAI, mock: MockUpstream, model: str) -> None:
    script(mock, model, 1)
    answer = client.embeddings.create(model=model, input="one")
    assert [item.embedding for item in answer.data] == VECTORS[:1]


@translated
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_come_in_the_encoding_that_was_asked_for(
    proxy: FastproxyProcess, mock: MockUpstream, model: str, encoding: str
) -> None:
    script(mock, model)
    answer = post(proxy, {"model": model, "input": ["one", "two"], "encoding_format": encoding})
    first = answer.json()["data"][0]["embedding"]
    if encoding == "base64":
        assert array("f", base64.b64decode(first)).tolist() == VECTORS[0]
    else:
        assert first == VECTORS[0]


@pytest.mark.parametrize(
    ("model", "place"),
    [
        (OLLAMA, ("dimensions",)),
        (GEMINI, ("requests", 0, "embedContentConfig", "outputDimensionality")),
        (PREDICT, ("parameters", "outputDimensionality")),
        (BOX, ("dimensions",)),
    ],
)
def test_dimensions_and_the_models_own_name_travel_on(
    client: openai.OpenAI, mock: MockUpstream, model: str, place: tuple[str | int, ...]
) -> None:
    script(mock, model)
    client.embeddings.create(model=model, input=["one", "two"], dimensions=3)
    sent = next(
        request for request in mock.requests() if "embed" in request.path or "predict" in request.path
    )
    value: Any = sent.json()
    for key in place:
        value = value[key]
    assert value == 3
    name = model.removeprefix("ollama-").removeprefix("local-")
    assert name in sent.path or sent.json()["model"] == name
    assert "sk-test-key" not in str(sent.headers)


def test_a_server_of_the_same_format_gets_the_clients_own_fields(
    client: openai.OpenAI, mock: MockUpstream
) -> None:
    script(mock, BOX)
    client.embeddings.create(model=BOX, input=[[1, 2], [3]], extra_body={"input_type": "query"}, user="me")
    (sent,) = [request.json() for request in mock.requests() if request.path.endswith("/embeddings")]
    expected = {"input": [[1, 2], [3]], "input_type": "query", "user": "me", "model": "embedder"}
    assert sent == expected | {"encoding_format": "base64"}


@translated
def test_token_numbers_are_refused_with_the_remedy(
    client: openai.OpenAI, mock: MockUpstream, model: str
) -> None:
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as caught:
        client.embeddings.create(model=model, input=[[1, 2], [3]])
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input[0]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "model": ""}, "model"),
        ({"input": "a", "model": None}, "model"),
    ],
)
def test_a_wrong_field_is_named(proxy: FastproxyProcess, fields: dict[str, Any], param: str) -> None:
    answer = post(proxy, {"model": OLLAMA} | fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("model", ["deepseek-chat", "demo-chat"])
def test_a_provider_without_embeddings_says_who_has_them(client: openai.OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError, match=r"these have: vertex, ollama, local") as caught:
        client.embeddings.create(model=model, input="x")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("status", "raised"),
    [(404, openai.NotFoundError), (429, openai.RateLimitError), (401, openai.InternalServerError)],
)
@every_model
def test_an_error_of_the_provider_is_an_openai_error(
    client: openai.OpenAI, mock: MockUpstream, model: str, status: int, raised: type[openai.APIStatusError]
) -> None:
    text = "model 'x' not found"
    error: Any = text if model == OLLAMA else {"message": text, "code": status}
    for path in ("/api/embed", ":batchEmbedContents", ":embedContent", ":predict", "/embeddings"):
        mock.script({"status": status, "json": {"error": error}}, path=path)
    with pytest.raises(raised, match="not found"):
        client.embeddings.create(model=model, input=["x"])


@pytest.mark.parametrize(
    "answer",
    [{"json": {"embeddings": [[1.0]]}}, {"json": {"embeddings": "x"}}, {"body": "<html>"}, {"json": {}}],
)
def test_an_answer_without_a_vector_for_each_text_is_a_bad_response_and_the_next_is_not_harmed(
    client: openai.OpenAI, mock: MockUpstream, answer: dict[str, Any]
) -> None:
    mock.script(answer, path="/api/embed")
    with pytest.raises(openai.InternalServerError) as caught:
        client.embeddings.create(model=OLLAMA, input=["one", "two"])
    assert (caught.value.status_code, caught.value.code) == (502, "bad_response")
    script(mock, OLLAMA)
    assert len(client.embeddings.create(model=OLLAMA, input=["one", "two"]).data) == 2


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings", "/v1/v1/embeddings"])
def test_every_path_answers_and_says_who_did(proxy: FastproxyProcess, mock: MockUpstream, path: str) -> None:
    script(mock, OLLAMA, 1)
    answer = post(proxy, {"model": OLLAMA, "input": "x"}, path)
    assert answer.status_code == 200
    assert answer.headers["x-fastproxy-provider"] == "ollama"
    assert answer.headers["x-fastproxy-model"] == "nomic-embed-text"
    assert "upstream;dur=" in answer.headers["server-timing"]


def test_a_request_without_the_key_is_refused(proxy: FastproxyProcess) -> None:
    assert httpx.post(f"{proxy.url}/v1/embeddings", json={"model": OLLAMA, "input": "x"}).status_code == 401


def test_embeddings_are_counted_like_any_request(proxy: FastproxyProcess, mock: MockUpstream) -> None:
    script(mock, OLLAMA, 1)
    assert post(proxy, {"model": OLLAMA, "input": "x"}).status_code == 200
    metrics = httpx.get(f"{proxy.url}/metrics", headers={"authorization": f"Bearer {KEY}"}).text
    kinds = Samples(metrics).labels("gen_ai_client_token_usage_sum")
    assert {
        "gen_ai_operation_name": "embeddings",
        "gen_ai_provider_name": "ollama",
        "gen_ai_request_model": "nomic-embed-text",
        "gen_ai_token_type": "input",
    } in kinds


def post(proxy: FastproxyProcess, body: dict[str, Any], path: str = "/v1/embeddings") -> httpx.Response:
    return httpx.post(proxy.url + path, json=body, headers={"authorization": f"Bearer {KEY}"}, timeout=10)
