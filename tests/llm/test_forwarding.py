"""Bodies of OpenAI's shape passed on: as they are, or translated for an endpoint that speaks Anthropic's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from llm.dialogues import ANTHROPIC_STREAM, ANTHROPIC_WHOLE, KINDS, OPENAI_STREAM, OPENAI_WHOLE, STREAMS, WHOLES, opened
from llm.endpoints import FakeEndpoint, answer, raw, streamed
from mcp_lakehouse.errors import InvalidInput, ModelFailed
from mcp_lakehouse.llm.chat import Chat
from mcp_lakehouse.llm.sse import events

BODY = {"model": "whatever the client thinks", "messages": [{"role": "user", "content": "Wer fährt?"}]}


def whole(chat: Chat, body: Mapping[str, Any]) -> Any:
    with chat.forward(body) as said:
        return said


def stream(chat: Chat, body: Mapping[str, Any]) -> list[str]:
    with chat.forward({**body, "stream": True}) as chunks:
        return list(events(chunks))


def test_openai_answers_come_back_as_they_are(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({**OPENAI_WHOLE, "more": 1}))
    said = whole(opened(endpoint, "openai"), {**BODY, "temperature": 0.5, "tools": []})
    assert said == {**OPENAI_WHOLE, "more": 1}
    assert endpoint.requests[0].body == {**BODY, "model": "some-model", "temperature": 0.5, "tools": []}


def test_openai_streams_come_back_as_they_are(endpoint: FakeEndpoint) -> None:
    endpoint.does(raw(streamed(*OPENAI_STREAM, "after the end")))
    said = stream(opened(endpoint, "openai"), BODY)
    assert [text if text == "[DONE]" else json.loads(text) for text in said] == OPENAI_STREAM


def test_anthropic_answers_are_translated(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer(ANTHROPIC_WHOLE))
    said = whole(
        opened(endpoint, "anthropic"),
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Wer "}, {"type": "text", "text": "fährt?"}]},
                {"role": "assistant", "content": "Ada"},
                {"role": "user", "content": "Wirklich?"},
            ],
            "max_completion_tokens": 77,
            "temperature": 1.7,
            "top_p": 0.9,
            "stop": "\n",
            "seed": 3,
        },
    )
    assert endpoint.requests[0].body == {
        "model": "some-model",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Wer fährt?"},
            {"role": "assistant", "content": "Ada"},
            {"role": "user", "content": "Wirklich?"},
        ],
        "max_tokens": 77,
        "temperature": 1.0,
        "top_p": 0.9,
        "stop_sequences": ["\n"],
    }
    assert (said["object"], said["model"]) == ("chat.completion", "some-model")
    assert said["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Ada fährt."}, "finish_reason": "stop"}
    ]
    assert said["usage"] == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def test_anthropic_streams_are_translated(endpoint: FakeEndpoint) -> None:
    endpoint.does(raw(streamed(*ANTHROPIC_STREAM)))
    *chunks, end = stream(opened(endpoint, "anthropic"), BODY)
    assert endpoint.requests[0].body["stream"] is True
    assert end == "[DONE]"
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    assert [choice["delta"].get("content") for choice in choices] == ["Ada ", "fährt.", None]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "stop"]
    assert json.loads(chunks[-1])["usage"]["total_tokens"] == 15
    assert {json.loads(chunk)["object"] for chunk in chunks} == {"chat.completion.chunk"}


@KINDS
def test_half_a_stream_is_passed_on_and_then_an_error(endpoint: FakeEndpoint, kind: str) -> None:
    endpoint.does(raw(streamed(*STREAMS[kind][:-1])))
    seen: list[bytes] = []
    with opened(endpoint, kind).forward({**BODY, "stream": True}) as chunks, pytest.raises(ModelFailed, match="middle"):
        seen.extend(chunks)
    assert b"Ada" in b"".join(seen)
    assert b"[DONE]" not in b"".join(seen)


@KINDS
def test_silence_in_the_midst_is_an_error_where_it_is_read(endpoint: FakeEndpoint, kind: str) -> None:
    endpoint.does(endpoint.sends_then_hangs(streamed(STREAMS[kind][0])))
    with (
        opened(endpoint, kind).forward({**BODY, "stream": True}) as chunks,
        pytest.raises(Exception, match="sent nothing for"),
    ):
        list(chunks)


@KINDS
def test_leaving_a_stream_early_lets_go_of_it(endpoint: FakeEndpoint, kind: str) -> None:
    endpoint.does(endpoint.sends_then_hangs(streamed(*STREAMS[kind][:5])))
    with opened(endpoint, kind).forward({**BODY, "stream": True}) as chunks:
        assert next(iter(chunks)).startswith(b"data: {")


@KINDS
def test_an_answer_of_another_shape_is_an_error(endpoint: FakeEndpoint, kind: str) -> None:
    endpoint.does(answer({"error": None}), answer(["choices"]), answer(b"<html>"))
    for _ in range(3):
        with pytest.raises(ModelFailed, match="the answer of"):
            whole(opened(endpoint, kind), BODY)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"messages": []}, {"messages": "hello"}, {"messages": ["hello"]}, {"messages": [{"content": "x"}]},
        {"messages": [{"role": [], "content": "x"}]}, {"messages": [{"role": "tool", "content": "x"}]},
        {"messages": [{"role": "user"}]}, {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": [None]}]}, {"messages": [{"role": "system", "content": "x"}]},
        {**BODY, "tools": [{}]}, {**BODY, "n": 2}, {**BODY, "response_format": {"type": "json_object"}},
        {**BODY, "max_tokens": "many"}, {**BODY, "max_tokens": -1}, {**BODY, "max_tokens": 10**9},
    ],
    ids=lambda body: str(body)[-40:],
)  # fmt: skip
def test_what_cannot_be_translated_is_refused_before_anything_is_sent(
    endpoint: FakeEndpoint, body: dict[str, Any]
) -> None:
    endpoint.does(answer(WHOLES["anthropic"]))
    with pytest.raises(InvalidInput) as raised:
        whole(opened(endpoint, "anthropic"), body)
    assert raised.value.hint
    assert endpoint.requests == []
