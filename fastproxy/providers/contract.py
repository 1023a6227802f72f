"""What a provider is: a frozen row of pure functions. No base class, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fastproxy.errors import UpstreamError
from fastproxy.types import ChatRequest, Deployment, Headers, Json, UpstreamRequest
from fastproxy.wire.answer import AnswerStream, WholeAnswer
from fastproxy.wire.events import Completion, Translator
from fastproxy.wire.openai.models import ModelInfo

BuildRequest = Callable[[ChatRequest, Deployment], UpstreamRequest]
ParseResponse = Callable[[ChatRequest, bytes], Completion]
TranslateStream = Callable[[ChatRequest], Translator]
NativeBuild = Callable[[bytes, Json, Mapping[str, str], Deployment], UpstreamRequest]
NativeStream = Callable[[ChatRequest], AnswerStream]
NativeResponse = Callable[[ChatRequest, bytes], WholeAnswer]
BuildEmbeddings = Callable[[str, list[str], int | None, Deployment], UpstreamRequest]
ParseEmbeddings = Callable[[bytes], tuple[list[list[float]], int]]
NativeEmbeddings = Callable[[Json, Deployment], UpstreamRequest]
ParseModels = Callable[[bytes], list[ModelInfo]]
AddDetail = Callable[[ModelInfo, bytes, Deployment], ModelInfo]
ParseError = Callable[[int, Mapping[str, str], bytes], UpstreamError]


class Trouble(NamedTuple):
    """Why a server that answers cannot be used."""

    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Listing:
    """How a provider is asked which models it has; that costs no tokens."""

    path: str
    """Behind the base URL; asked by GET."""
    parse: ParseModels
    """The models in a 200 body, under the provider's own names. Raises UpstreamError for garbage."""
    headers: Headers = ()
    """Further headers, beside the deployment's."""
    detail_path: str = ""
    """Asked by POST with `{"model": name}`: more about one model; "" where there is no such thing."""
    add_detail: AddDetail | None = None
    """The model with what the detail's 200 body tells. Raises UpstreamError for garbage."""
    product: str = ""
    """The server's name in messages, where it is a program of the user's."""
    start: str = ""
    """How that program is started."""
    trouble: Callable[[int, bytes], Trouble | None] | None = None
    """Judges an answer by its status and body, before all else; None: by the status alone."""
    state: Callable[[bytes], Json] | None = None
    """What a good answer tells of the server's own state, for /health."""
    watch_seconds: float = 0.0
    """How often it is asked all the time, for its state's sake; 0: only when somebody wants to know."""
    fetch: str = ""
    """How it gets a model that it lacks (`{model}`); "" where that is not in the user's hands."""


@dataclass(frozen=True, slots=True)
class TextCompletion:
    """How a provider is asked to go on with a text, or to fill a gap in it: see `Provider`."""

    build_request: BuildRequest
    """The text is `prompt` in the request's `extra`; `suffix`, if there is one, is what follows the gap."""
    parse_response: ParseResponse
    translate_stream: TranslateStream


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of provider. Every function is pure and raises nothing but `ProxyError`."""

    build_request: BuildRequest
    """The HTTP request for this chat at this deployment. Twice the same input, twice an equal value."""
    parse_response: ParseResponse
    """The completion in a whole 200 body; raises `UpstreamError` where it holds an error or garbage."""
    translate_stream: TranslateStream
    """A fresh translator for one streamed answer."""
    parse_error: ParseError
    """(status, lower-case headers, body) of a non-2xx answer -> the error to raise."""
    native_surface: str = ""
    """The surface ("chat", "messages") whose wire format the upstream speaks itself: bytes then pass
    through untouched and neither translator nor renderer runs."""
    native_build: NativeBuild | None = None
    """For `native_surface`: the request for (a client's own body, the same decoded, its headers, deployment);
    None: `build_request` says all that the client said."""
    native_count: NativeBuild | None = None
    """Likewise, the request that asks how many tokens this body is; None: nobody there counts."""
    native_stream: NativeStream | None = None
    """For `native_surface`: the stream that passes bytes through."""
    native_response: NativeResponse | None = None
    """For `native_surface`: the unary body, passed through."""
    build_embeddings: BuildEmbeddings | None = None
    """The request for (model, texts, dimensions or None, deployment); None: it has no embeddings, unless
    `native_embeddings`."""
    parse_embeddings: ParseEmbeddings | None = None
    """(the vectors in the order of the texts, prompt tokens) in a whole 200 body."""
    native_embeddings: NativeEmbeddings | None = None
    """The request for a client's own body, where the upstream speaks OpenAI's embeddings itself: the answer
    then passes, but for the model's name."""
    text_completion: TextCompletion | None = None
    """None: a prompt is sent as a chat of one message."""
    listing: Listing | None = None
    """None: nobody is asked, the configured models are all that is known."""
    auth_header: tuple[str, str] = ("authorization", "Bearer ")
    """The header that carries a static API key, and what stands before the key in it."""
    deadline_header: str = ""
    """The header that tells it how many milliseconds the client still waits; "": nobody there reads one."""
    strips_prefix: bool = False
    """The provider's prefix is ours alone: it is cut off before the name goes upstream."""
    also_serves: tuple[str, ...] = ()
    """Further prefixes that it serves where no provider before it in the table does."""
    variants: tuple[tuple[str, str], ...] = ()
    """(beginning of a model's name, kind): such models of this provider are served by that row."""
