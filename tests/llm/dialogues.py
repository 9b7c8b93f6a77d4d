"""One question and its answer in the words of both kinds of chat endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from llm.conftest import QUICK
from llm.endpoints import FakeEndpoint
from mcp_lakehouse.llm.chat import Chat, Message, Reply, open_chat

ASKED = [Message("system", "Be brief."), Message("user", "Wer fährt?")]
WHOLE = Reply("Ada fährt.", 12, 3, "stop")
# Each kind's own words for the same things.
OPENAI_WHOLE = {
    "choices": [{"message": {"role": "assistant", "content": "Ada fährt."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3},
}
ANTHROPIC_WHOLE = {
    "content": [
        {"type": "thinking", "thinking": "…"},
        {"type": "text", "text": "Ada "},
        {"type": "text", "text": "fährt."},
    ],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 12, "output_tokens": 3},
}
OPENAI_STREAM = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "Ada "}}]},
    {"choices": [{"delta": {"content": "fährt."}, "finish_reason": None}]},
    {"choices": [{"delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}},
    "[DONE]",
]
ANTHROPIC_STREAM = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 12, "output_tokens": 1}}},
    {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Ada "}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "fährt."}},
    {"type": "content_block_stop"},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
WHOLES = {"openai": OPENAI_WHOLE, "anthropic": ANTHROPIC_WHOLE}
STREAMS: dict[str, list[Any]] = {"openai": OPENAI_STREAM, "anthropic": ANTHROPIC_STREAM}
# Where a stream has not said yet why it ends.
UNFINISHED = {"openai": 3, "anthropic": 5}
KINDS = pytest.mark.parametrize("kind", ["openai", "anthropic"])
MODES = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])


def opened(endpoint: FakeEndpoint, kind: str, **environment: str) -> Chat:
    chat = open_chat(f"{kind}:some-model@{endpoint.url}", environment=environment, limits=QUICK)
    assert chat is not None
    return chat
