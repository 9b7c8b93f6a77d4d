"""OpenAI's chat completions in the terms of Anthropic's messages, and back. Pure."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.llm.chat import Message, Reply, Role
from mcp_lakehouse.llm.posting import Json

_DEFAULT_TOKENS = 4_096
_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NOT_PASSED_ON = ("tools", "functions", "response_format")
_REASONS = {"stop": "stop", "length": "length", "filtered": "content_filter"}
_HINT = 'send messages of text, as in {"messages": [{"role": "user", "content": "…"}]}'


def messages_of(body: Mapping[str, Json]) -> list[Message]:
    """The messages of a chat completion's body. Raises `InvalidInput` for what is not text, and for tools."""
    asked = [name for name in _NOT_PASSED_ON if body.get(name)]
    if asked or body.get("n") not in (None, 1):
        raise InvalidInput(
            f"{asked[0] if asked else 'n'} cannot be passed on to this model", hint=f"leave it out; {_HINT}"
        )
    given = body.get("messages")
    if not isinstance(given, list) or not given:
        raise InvalidInput("messages is missing or empty", hint=_HINT)
    return [_message(each) for each in given]


def options_of(body: Mapping[str, Json]) -> tuple[int, dict[str, Json]]:
    """The budget in tokens, and what else is passed on."""
    budget = body.get("max_completion_tokens") or body.get("max_tokens") or _DEFAULT_TOKENS
    if not isinstance(budget, int):
        raise InvalidInput("max_tokens is no whole number", hint="give a number of tokens, or leave it out")
    options: dict[str, Json] = {}
    temperature = body.get("temperature")
    if isinstance(temperature, int | float):
        # OpenAI's goes to 2.
        options["temperature"] = min(float(temperature), 1.0)
    if isinstance(body.get("top_p"), int | float):
        options["top_p"] = body["top_p"]
    stop = body.get("stop")
    if stop:
        options["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return budget, options


def completion(model: str, reply: Reply) -> dict[str, Json]:
    """A reply as a chat completion."""
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "finish_reason": _REASONS.get(reply.finish_reason, "stop")}
    return {**_head(model, "chat.completion"), "choices": [choice], "usage": _usage(reply)}


def chunk(model: str, *, text: str | None = None, reply: Reply | None = None) -> str:
    """A piece of text, or the end of a reply, as the data of an event."""
    delta = {} if text is None else {"role": "assistant", "content": text}
    reason = None if reply is None else _REASONS.get(reply.finish_reason, "stop")
    head = _head(model, "chat.completion.chunk")
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return json.dumps({**head, "choices": [choice], **({"usage": _usage(reply)} if reply else {})})


def _message(given: Json) -> Message:
    said = given.get("role") if isinstance(given, dict) else None
    role = _ROLES.get(said) if isinstance(said, str) else None
    if role is None:
        raise InvalidInput("a message has no role that this model knows", hint=f"{', '.join(_ROLES)}; {_HINT}")
    content = given.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = None if None in parts else "".join(map(str, parts))
    if not isinstance(content, str):
        raise InvalidInput("a message holds something other than text", hint=_HINT)
    return Message(role, content)


def _head(model: str, kind: str) -> dict[str, Json]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _usage(reply: Reply) -> dict[str, int]:
    sent, written = reply.input_tokens or 0, reply.output_tokens or 0
    return {"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written}
