"""One question to the chat model, bounded in time and length."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import LimitExceeded
from mcp_lakehouse.llm.chat import Message

if TYPE_CHECKING:
    from mcp_lakehouse.llm.chat import Chat

# What is going on, for whoever waits.
Progress = Callable[[str], None]
_TOLD_EVERY_CHARS = 200
_FENCE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Asker:
    """A chat model with its budgets; `model` is what it is called where it is named."""

    chat: Chat
    limits: AnswerLimits
    model: str

    def ask(
        self, messages: Sequence[Message], *, max_tokens: int, cancel: CancelToken | None, progress: Progress
    ) -> str:
        """The text of the model's reply. Raises what the model raises, and `LimitExceeded` past a budget."""
        deadline = time.monotonic() + self.limits.model_seconds
        received = 0

        def on_text(piece: str) -> None:
            nonlocal received
            before, received = received, received + len(piece)
            if received > self.limits.reply_chars:
                raise LimitExceeded(f"the model wrote more than {self.limits.reply_chars:,} characters")
            if time.monotonic() > deadline:
                raise LimitExceeded(f"the model was not done after {self.limits.model_seconds:g} s")
            if before // _TOLD_EVERY_CHARS != received // _TOLD_EVERY_CHARS:
                progress(f"writing: {received:,} characters")

        return self.chat.complete(messages, max_tokens=max_tokens, cancel=cancel, on_text=on_text).text


def prompt(name: str, fence: str, data: str, question: str) -> list[Message]:
    """The text `name`.md as instructions, then the fenced data and the question."""
    return [
        Message("system", _text(name).replace("{fence}", fence)),
        Message("user", f"{data}\n\nThe question: {question}"),
    ]


def turn(reply: str, answer: str) -> list[Message]:
    """What the model replied and what it is told about it."""
    return [Message("assistant", reply), Message("user", answer)]


def fenced(pieces: Sequence[str]) -> tuple[str, str]:
    """The fence's mark, which nobody could know before and no piece holds, and the pieces between its marks."""
    mark = f"=== {secrets.token_hex(_FENCE_BYTES)}"
    while any(mark in piece for piece in pieces):
        mark = f"=== {secrets.token_hex(_FENCE_BYTES)}"
    return mark, "\n".join(f"{mark} {n}\n{piece}\n{mark} end" for n, piece in enumerate(pieces, 1))


@cache
def _text(name: str) -> str:
    text = files("mcp_lakehouse.answer").joinpath(f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\n{3,}", "\n\n", text).strip()
