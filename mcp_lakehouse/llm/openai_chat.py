"""Chat with any endpoint that speaks OpenAI's `/chat/completions`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.llm.chat import KEY, OPENAI, Message, Reply
from mcp_lakehouse.llm.dialogue import END, Written, broke_off, check_request, count, event, traced
from mcp_lakehouse.llm.endpoint import CallLimits, Endpoint, parse, with_key, wrong_shape
from mcp_lakehouse.llm.keys import first_key
from mcp_lakehouse.llm.posting import Json, Poster
from mcp_lakehouse.llm.sse import events

_PATH = "/chat/completions"
_REASONS = {"stop": "stop", "length": "length", "content_filter": "filtered"}


class OpenAiChat:
    """`openai:MODEL@BASE_URL`."""

    def __init__(self, poster: Poster, *, trace_content: bool) -> None:
        self._poster = poster
        self._endpoint = poster.endpoint
        self._trace_content = trace_content
        self.model = f"{OPENAI}{self._endpoint.model}@{self._endpoint.base_url}"

    @classmethod
    def open(
        cls, spec: str, environment: Mapping[str, str], limits: CallLimits, *, trace_content: bool = False
    ) -> OpenAiChat:
        """Raises `InvalidInput` for a spec that is none."""
        key = first_key(environment, (KEY, "OPENAI_API_KEY"))
        endpoint = with_key(parse(spec, "openai", limits=limits), key, header="authorization", prefix="Bearer ")
        return cls(Poster(endpoint), trace_content=trace_content)

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
        body = {
            "model": self._endpoint.model,
            "messages": [{"role": message.role, "content": message.text} for message in messages],
            budget_name(self._endpoint): max_tokens,
            **({"stream": True, "stream_options": {"include_usage": True}} if on_text else {}),
        }
        content = messages if self._trace_content else None
        with (
            traced("openai", self._endpoint, max_tokens, content) as replied,
            self._poster.posted(_PATH, body, cancel=cancel) as answer,
        ):
            written = Written(self._endpoint, max_tokens, on_text)
            reply = self._streamed(answer.chunks(), written) if on_text else self._whole(answer.json(), written)
            replied(reply)
        return reply

    @contextlib.contextmanager
    def forward(
        self, body: Mapping[str, Json], *, cancel: CancelToken | None = None
    ) -> Iterator[Json | Iterator[bytes]]:
        """As `Chat.forward`."""
        sent = {**body, "model": self._endpoint.model}
        with (
            traced("openai", self._endpoint, count(body.get("max_tokens")), None),
            self._poster.posted(_PATH, sent, cancel=cancel) as answer,
        ):
            if body.get("stream") is True:
                yield self._passed_on(answer.chunks())
            else:
                said = answer.json()
                if not isinstance(said, dict) or not isinstance(said.get("choices"), list):
                    raise wrong_shape(self._endpoint, "not a chat completion")
                yield said

    def _passed_on(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        ended = False
        for data in self._data(chunks):
            ended = data == END
            if not ended:
                # An error in the stream holds the endpoint's own words, which may be those of a key.
                self._object(data)
            yield event(data)
        if not ended:
            raise broke_off(self._endpoint)

    def _data(self, chunks: Iterator[bytes]) -> Iterator[str]:
        """The data of each event up to the last one that belongs to the stream."""
        try:
            for data in events(chunks):
                yield data
                if data == END:
                    return
        except ValueError:
            raise wrong_shape(self._endpoint, "not an event stream") from None

    def _whole(self, said: Json, written: Written) -> Reply:
        try:
            choice = said["choices"][0]
            text, reason, usage = choice["message"]["content"], choice.get("finish_reason"), said.get("usage")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise wrong_shape(self._endpoint, "not a chat completion") from None
        # A model that used its budget up by thinking has written nothing.
        written.add("" if text is None else text)
        return Reply(written.text, *_tokens(usage), _reason(reason))

    def _streamed(self, chunks: Iterator[bytes], written: Written) -> Reply:
        reason: object = None
        usage: object = None
        seen = ended = False
        for data in self._data(chunks):
            if data == END:
                ended = True
                break
            said = self._object(data)
            usage = said.get("usage") or usage
            try:
                found = [(each["delta"].get("content"), each.get("finish_reason")) for each in said["choices"][:1]]
            except (KeyError, TypeError, AttributeError):
                raise wrong_shape(self._endpoint, "not a stream of chat completions") from None
            for text, why in found:
                written.add("" if text is None else text)
                reason, seen = why or reason, True
        if not seen:
            raise wrong_shape(self._endpoint, "not a stream of chat completions")
        # Some endpoints leave the end mark out; a reason to finish is as good.
        if not ended and reason is None:
            raise broke_off(self._endpoint)
        return Reply(written.text, *_tokens(usage), _reason(reason))

    def _object(self, data: str) -> Mapping[str, Json]:
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise wrong_shape(self._endpoint, "not a stream of chat completions")
        if "error" in said:
            raise broke_off(self._endpoint)
        return said


def budget_name(endpoint: Endpoint) -> str:
    """The name of the budget: OpenAI's own newer models refuse the one that everybody else knows."""
    return "max_completion_tokens" if endpoint.host == "api.openai.com" else "max_tokens"


def _tokens(usage: object) -> tuple[int | None, int | None]:
    if not isinstance(usage, dict):
        return None, None
    return count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))


def _reason(reason: object) -> str:
    return _REASONS.get(reason, "other") if isinstance(reason, str) else "stop"
