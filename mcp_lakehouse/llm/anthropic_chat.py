"""Chat with any endpoint that speaks Anthropic's `/v1/messages`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.llm.anthropic_shapes import chunk, completion, messages_of, options_of
from mcp_lakehouse.llm.chat import ANTHROPIC, ANTHROPIC_URL, KEY, Message, Reply
from mcp_lakehouse.llm.dialogue import END, Written, broke_off, check_request, count, event, traced
from mcp_lakehouse.llm.endpoint import CallLimits, Endpoint, parse, with_key, wrong_shape
from mcp_lakehouse.llm.keys import first_key
from mcp_lakehouse.llm.posting import Json, Poster
from mcp_lakehouse.llm.sse import events

_VERSION = "2023-06-01"
_REASONS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "filtered"}


class AnthropicChat:
    """`anthropic:MODEL[@BASE_URL]`."""

    def __init__(self, poster: Poster, *, trace_content: bool) -> None:
        self._poster = poster
        self._endpoint = poster.endpoint
        self._trace_content = trace_content
        # People give the address with and without the version of the API in it.
        self._path = "/messages" if self._endpoint.base_url.endswith("/v1") else "/v1/messages"
        self.model = f"{ANTHROPIC}{self._endpoint.model}@{self._endpoint.base_url}"

    @classmethod
    def open(
        cls, spec: str, environment: Mapping[str, str], limits: CallLimits, *, trace_content: bool = False
    ) -> AnthropicChat:
        """Raises `InvalidInput` for a spec that is none."""
        key = first_key(environment, (KEY, "ANTHROPIC_API_KEY"))
        endpoint = parse(spec, "anthropic", limits=limits, base_url=ANTHROPIC_URL)
        others = {"anthropic-version": _VERSION}
        return cls(Poster(with_key(endpoint, key, header="x-api-key", others=others)), trace_content=trace_content)

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancel: CancelToken | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `Chat.complete`."""
        check_request(messages, max_tokens)
        content = messages if self._trace_content else None
        body = self._body(messages, max_tokens, stream=on_text is not None)
        with (
            traced("anthropic", self._endpoint, max_tokens, content) as replied,
            self._poster.posted(self._path, body, cancel=cancel) as answer,
        ):
            written = Written(self._endpoint, max_tokens, on_text)
            if on_text is None:
                reply = self._whole(answer.json(), written)
            else:
                stream = _Stream(self._endpoint)
                for piece in stream.pieces(answer.chunks()):
                    written.add(piece)
                reply = stream.reply(written.text)
            replied(reply)
        return reply

    @contextlib.contextmanager
    def forward(
        self, body: Mapping[str, Json], *, cancel: CancelToken | None = None
    ) -> Iterator[Json | Iterator[bytes]]:
        """As `Chat.forward`: texts are translated; tools, images and several choices are refused."""
        messages, (max_tokens, options) = messages_of(body), options_of(body)
        check_request(messages, max_tokens)
        streamed = body.get("stream") is True
        sent = {**self._body(messages, max_tokens, stream=streamed), **options}
        with (
            traced("anthropic", self._endpoint, max_tokens, None) as replied,
            self._poster.posted(self._path, sent, cancel=cancel) as answer,
        ):
            written = Written(self._endpoint, max_tokens)
            if streamed:
                yield self._passed_on(answer.chunks(), written, replied)
            else:
                reply = self._whole(answer.json(), written)
                replied(reply)
                yield completion(self._endpoint.model, reply)

    def _body(self, messages: Sequence[Message], max_tokens: int, *, stream: bool) -> dict[str, Json]:
        system = "\n\n".join(message.text for message in messages if message.role == "system")
        said = [{"role": message.role, "content": message.text} for message in messages if message.role != "system"]
        return {
            "model": self._endpoint.model,
            "max_tokens": max_tokens,
            "messages": said,
            **({"system": system} if system else {}),
            **({"stream": True} if stream else {}),
        }

    def _passed_on(
        self, chunks: Iterator[bytes], written: Written, replied: Callable[[Reply], None]
    ) -> Iterator[bytes]:
        stream = _Stream(self._endpoint)
        for piece in stream.pieces(chunks):
            written.add(piece)
            yield event(chunk(self._endpoint.model, text=piece))
        reply = stream.reply(written.text)
        replied(reply)
        yield event(chunk(self._endpoint.model, reply=reply))
        yield event(END)

    def _whole(self, said: Json, written: Written) -> Reply:
        try:
            texts = [block["text"] for block in said["content"] if block["type"] == "text"]
            reason, usage = said.get("stop_reason"), said.get("usage")
        except (KeyError, TypeError, AttributeError):
            raise wrong_shape(self._endpoint, "not a message") from None
        for text in texts:
            written.add(text)
        return Reply(written.text, _tokens(usage, "input_tokens"), _tokens(usage, "output_tokens"), _reason(reason))


class _Stream:
    """One stream of events: its pieces of text as they come, and what is known at its end."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._input: int | None = None
        self._output: int | None = None
        self._reason: object = None

    def pieces(self, chunks: Iterator[bytes]) -> Iterator[Json]:
        """Pieces of text, not looked at yet. Raises `ModelFailed` for anything but a whole stream."""
        started = False
        try:
            for data in events(chunks):
                said = json.loads(data)
                kind = said["type"]
                if kind == "error":
                    raise broke_off(self._endpoint)
                if kind == "message_stop" and started:
                    return
                started = started or kind == "message_start"
                piece = self._piece(kind, said)
                if piece is not None:
                    yield piece
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise wrong_shape(self._endpoint, "not a stream of messages") from None
        raise broke_off(self._endpoint) if started else wrong_shape(self._endpoint, "not a stream of messages")

    def reply(self, text: str) -> Reply:
        """The reply, once the pieces are through."""
        return Reply(text, self._input, self._output, _reason(self._reason))

    def _piece(self, kind: Json, said: Mapping[str, Json]) -> Json:
        if kind == "message_start":
            self._input = _tokens(said["message"].get("usage"), "input_tokens")
        elif kind == "message_delta":
            self._reason = said["delta"].get("stop_reason") or self._reason
            self._output = _tokens(said.get("usage"), "output_tokens")
        elif kind == "content_block_delta" and said["delta"].get("type") == "text_delta":
            return said["delta"]["text"]
        return None


def _tokens(usage: object, name: str) -> int | None:
    return count(usage.get(name)) if isinstance(usage, dict) else None


def _reason(reason: object) -> str:
    return _REASONS.get(reason, "other") if isinstance(reason, str) else "stop"
