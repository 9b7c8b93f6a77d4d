"""What both kinds of chat endpoint have in common: the budget of a reply, and the span around it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mcp_lakehouse import trace
from mcp_lakehouse.errors import InvalidInput, ModelFailed
from mcp_lakehouse.llm.chat import Message, Reply
from mcp_lakehouse.llm.endpoint import Endpoint, wrong_shape
from mcp_lakehouse.tracing import names

# No language takes more for one token on average; an endpoint that sends more ignores `max_tokens`.
CHARS_OF_A_TOKEN = 16
MOST_TOKENS = 65_536
# The last event of OpenAI's streams.
END = "[DONE]"


class Written:
    """The text of a reply as it comes, within its budget."""

    def __init__(self, endpoint: Endpoint, max_tokens: int, on_text: Callable[[str], None] | None = None) -> None:
        self._endpoint = endpoint
        self._left = max_tokens * CHARS_OF_A_TOKEN
        self._on_text = on_text
        self._pieces: list[str] = []

    def add(self, piece: object) -> None:
        """One more piece. Raises `ModelFailed` where it is no text, or the budget is overrun."""
        if not isinstance(piece, str):
            raise wrong_shape(self._endpoint, "not text")
        self._left -= len(piece)
        if self._left < 0:
            raise wrong_shape(self._endpoint, "far longer than it was asked to be")
        # Half a surrogate pair fits no file and no wire.
        piece = piece.encode("utf-8", "replace").decode("utf-8")
        self._pieces.append(piece)
        if piece and self._on_text is not None:
            self._on_text(piece)

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self._pieces)


def count(value: object) -> int | None:
    """A number of tokens, where it is one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def event(data: str) -> bytes:
    """Data as a server-sent event."""
    return ("".join(f"data: {line}\n" for line in data.split("\n")) + "\n").encode()


def broke_off(endpoint: Endpoint) -> ModelFailed:
    """The error for a stream that stopped before its end."""
    return ModelFailed(f"{endpoint.host} stopped in the middle of its answer", hint="ask again")


def check_request(messages: Sequence[Message], max_tokens: int) -> None:
    """Raise `InvalidInput` for a request that no endpoint takes."""
    if not 0 < max_tokens <= MOST_TOKENS:
        raise InvalidInput(f"max_tokens is {max_tokens}", hint=f"give 1 to {MOST_TOKENS:,}")
    if not any(message.role == "user" for message in messages):
        raise InvalidInput("there is no message of a user", hint="ask something")


@contextlib.contextmanager
def traced(
    provider: str, endpoint: Endpoint, max_tokens: int | None, messages: Sequence[Message] | None
) -> Iterator[Callable[[Reply], None]]:
    """A span around one call. Give the reply to what this gives; `messages` is `None` where content stays out."""
    attributes: dict[str, Any] = {
        names.GEN_AI_OPERATION: "chat",
        names.GEN_AI_PROVIDER: provider,
        names.GEN_AI_REQUEST_MODEL: endpoint.model,
        names.GEN_AI_MAX_TOKENS: max_tokens,
    }
    with trace.span(f"chat {endpoint.model}", **attributes) as span:
        if messages is not None:
            span.set_attribute(names.GEN_AI_INPUT_MESSAGES, _parts([(each.role, each.text) for each in messages]))

        def replied(reply: Reply) -> None:
            trace.annotate(
                **{
                    names.GEN_AI_INPUT_TOKENS: reply.input_tokens,
                    names.GEN_AI_OUTPUT_TOKENS: reply.output_tokens,
                }
            )
            span.set_attribute(names.GEN_AI_FINISH_REASONS, [reply.finish_reason])
            if messages is not None:
                span.set_attribute(names.GEN_AI_OUTPUT_MESSAGES, _parts([("assistant", reply.text)]))

        yield replied


def _parts(said: Sequence[tuple[str, str]]) -> str:
    """Messages as the GenAI conventions write them into an attribute."""
    return json.dumps(
        [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in said], ensure_ascii=False
    )
