"""What writes a reply to messages, and how the setting `chat` names one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.llm.endpoint import CallLimits

if TYPE_CHECKING:
    from mcp_lakehouse.llm.posting import Json

Role = Literal["system", "user", "assistant"]
OPENAI, ANTHROPIC = "openai:", "anthropic:"
ANTHROPIC_URL = "https://api.anthropic.com"
KEY = "LAKEHOUSE_CHAT_KEY"
LIMITS = CallLimits(idle_seconds=60.0, total_seconds=180.0)
FORMS = f"{OPENAI}MODEL@BASE_URL or {ANTHROPIC}MODEL[@BASE_URL]"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who speaks, and the text."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model wrote. `finish_reason`: `stop`, `length` (the budget was used up), `filtered` or `other`.

    Tokens are what the endpoint counted; `None` where it did not say.
    """

    text: str
    input_tokens: int | None
    output_tokens: int | None
    finish_reason: str


class Chat(Protocol):
    """A model behind an endpoint. Any thread may call it at any time."""

    @property
    def model(self) -> str:
        """As it is set: `openai:MODEL@BASE_URL`, `anthropic:MODEL@BASE_URL`."""

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        cancel: CancelToken | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """A reply of at most `max_tokens`; with `on_text` it is streamed, piece by piece.

        Nothing of a reply that broke off is returned. Raises `ModelFailed`, `NotAllowed`, `LimitExceeded` or
        `Cancelled`.
        """

    def forward(
        self, body: Mapping[str, Json], *, cancel: CancelToken | None = None
    ) -> AbstractContextManager[Json | Iterator[bytes]]:
        """Pass on the body of OpenAI's `/chat/completions`: gives its answer, or the bytes of its event stream.

        The model is the one that is set, whatever the body says. Raises as `complete`; also while the stream is read.
        """


def open_chat(
    spec: str,
    *,
    environment: Mapping[str, str] = os.environ,
    limits: CallLimits = LIMITS,
    trace_content: bool = False,
) -> Chat | None:
    """The model that `spec` names; none for "". Nothing is sent yet. Raises `InvalidInput` for anything else."""
    spec = spec.strip()
    if not spec:
        return None
    if spec.startswith(OPENAI):
        from mcp_lakehouse.llm.openai_chat import OpenAiChat

        return OpenAiChat.open(spec, environment, limits, trace_content=trace_content)
    if spec.startswith(ANTHROPIC):
        from mcp_lakehouse.llm.anthropic_chat import AnthropicChat

        return AnthropicChat.open(spec, environment, limits, trace_content=trace_content)
    raise InvalidInput("the setting chat names no model that we can reach", hint=f"write {FORMS}")
