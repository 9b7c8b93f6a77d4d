"""Both kinds of chat endpoint: whole and streamed replies, budgets, time, and answers that are none."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from llm.conftest import QUICK
from llm.dialogues import (
    ANTHROPIC_STREAM,
    ASKED,
    KINDS,
    MODES,
    OPENAI_STREAM,
    OPENAI_WHOLE,
    STREAMS,
    UNFINISHED,
    WHOLE,
    WHOLES,
    opened,
)
from llm.endpoints import SECRET, Behaviour, FakeEndpoint, Request, answer, raw, streamed, written
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, LimitExceeded, ModelFailed, NotAllowed
from mcp_lakehouse.llm.chat import Chat, Reply, open_chat
from mcp_lakehouse.llm.endpoint import parse
from mcp_lakehouse.llm.openai_chat import budget_name


def ask(
    chat: Chat, streaming: bool, *, max_tokens: int = 100, cancel: CancelToken | None = None
) -> tuple[Reply, list[str]]:
    pieces: list[str] = []
    reply = chat.complete(ASKED, max_tokens=max_tokens, cancel=cancel, on_text=pieces.append if streaming else None)
    return reply, pieces


def replies(kind: str, streaming: bool) -> Behaviour:
    return raw(streamed(*STREAMS[kind])) if streaming else answer(WHOLES[kind])


@KINDS
@MODES
def test_a_reply_carries_text_tokens_and_reason(endpoint: FakeEndpoint, kind: str, streaming: bool) -> None:
    endpoint.does(replies(kind, streaming))
    reply, pieces = ask(opened(endpoint, kind), streaming)
    assert reply == WHOLE
    assert pieces == (["Ada ", "fährt."] if streaming else [])


def test_an_openai_request_has_its_shape(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer(OPENAI_WHOLE))
    ask(opened(endpoint, "openai", LAKEHOUSE_CHAT_KEY=SECRET, OPENAI_API_KEY="other"), False)
    (request,) = endpoint.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.body == {
        "model": "some-model",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Wer fährt?"}],
        "max_tokens": 100,
    }


def test_an_anthropic_request_has_its_shape(endpoint: FakeEndpoint) -> None:
    endpoint.does(raw(streamed(*ANTHROPIC_STREAM)))
    ask(opened(endpoint, "anthropic", ANTHROPIC_API_KEY=SECRET, OPENAI_API_KEY="other"), True)
    (request,) = endpoint.requests
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == SECRET
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "some-model",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Wer fährt?"}],
        "max_tokens": 100,
        "stream": True,
    }


@KINDS
def test_a_stream_may_come_in_any_pieces(endpoint: FakeEndpoint, kind: str) -> None:
    content = streamed(*STREAMS[kind])
    head, body = content[: content.index(b"\r\n\r\n") + 4], content[content.index(b"\r\n\r\n") + 4 :]
    body = b"\xef\xbb\xbf: comment\r\n\r\nevent: x\r\n" + body.replace(b"\n", b"\r\n")

    def trickles(connection: socket.socket, _request: Request) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(head)
        for start in range(0, len(body), 7):
            connection.sendall(body[start : start + 7])

    endpoint.does(trickles)
    assert ask(opened(endpoint, kind), True)[0] == WHOLE


def test_a_reason_to_finish_is_an_end_where_the_mark_is_missing(endpoint: FakeEndpoint) -> None:
    endpoint.does(raw(streamed(*OPENAI_STREAM[:4])))
    assert ask(opened(endpoint, "openai"), True)[0] == replace(WHOLE, input_tokens=None, output_tokens=None)


@KINDS
@pytest.mark.parametrize("ending", ["closed", "reset", "error"])
def test_half_a_stream_is_an_error_and_is_not_asked_for_again(endpoint: FakeEndpoint, kind: str, ending: str) -> None:
    half = STREAMS[kind][: UNFINISHED[kind]]
    error = {"type": "error", "error": {"message": f"overloaded {SECRET}"}}
    content = streamed(*half, error) if ending == "error" else streamed(*half)
    if ending == "reset":
        # Chunked, and the chunk that ends it never comes.
        body = content[content.index(b"\r\n\r\n") + 4 :]
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        content = head + f"{len(body):x}\r\n".encode() + body + b"\r\n"
    endpoint.does(raw(content))
    with pytest.raises(ModelFailed, match=r"in the middle of its answer|broke off") as raised:
        ask(opened(endpoint, kind), True)
    assert len(endpoint.requests) == 1
    assert SECRET not in str(raised.value)


@KINDS
@pytest.mark.parametrize("body", [b"<html>", {}, [], "x", {"choices": []}, {"choices": [{}]}, {"choices": [{"message": {"content": 7}}]},
    {"content": "text"}, {"content": [{"type": "text"}]}, {"content": [{"type": "text", "text": None}]}, b"null", b"[" * 50_000],
    ids=lambda body: repr(body)[:30])  # fmt: skip
@MODES
def test_an_answer_of_another_shape_is_an_error(
    endpoint: FakeEndpoint, kind: str, body: object, streaming: bool
) -> None:
    endpoint.does(
        answer(body)
        if not streaming
        else raw(streamed(*([body.decode()] if isinstance(body, bytes) else [json.dumps(body)])))
    )
    with pytest.raises(ModelFailed, match=r"the answer of 127\.0\.0\.1.* is not"):
        ask(opened(endpoint, kind), streaming)


@KINDS
@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe not utf-8\n\n", b"data: " + b"x" * 70_000, b"", b"\n\n\n"],
    ids=["bytes", "endless", "nothing", "blank"],
)
def test_a_stream_that_is_none_is_an_error(endpoint: FakeEndpoint, kind: str, content: bytes) -> None:
    endpoint.does(raw(streamed(end=content)))
    with pytest.raises(ModelFailed, match=r"not (an event |a )stream"):
        ask(opened(endpoint, kind), True)


@KINDS
@MODES
def test_a_reply_far_beyond_its_budget_is_cut_off(endpoint: FakeEndpoint, kind: str, streaming: bool) -> None:
    def lengthened(said: Any) -> Any:
        return json.loads(json.dumps(said, ensure_ascii=False).replace("fährt.", "x" * 50))

    whole, stream = answer(lengthened(WHOLES[kind])), raw(streamed(*map(lengthened, STREAMS[kind][:-1])))
    endpoint.does(stream if streaming else whole)
    with pytest.raises(ModelFailed, match="far longer than it was asked to be"):
        ask(opened(endpoint, kind), streaming, max_tokens=2)


@KINDS
def test_an_endless_answer_is_cut_off(endpoint: FakeEndpoint, kind: str) -> None:
    piece = json.dumps(STREAMS[kind][0])

    def endless(connection: socket.socket, _request: Request) -> None:
        connection.sendall(streamed())
        while True:
            connection.sendall(f"data: {piece}\n\n".encode() * 100)

    endpoint.does(endless)
    with pytest.raises(ModelFailed, match="longer than 100,000 bytes"):
        ask(opened(endpoint, kind), True)


@KINDS
@pytest.mark.parametrize(("said", "expected"), [("length", "length"), ("filtered", "filtered"), ("new", "other")])
def test_reasons_are_told_in_one_vocabulary(endpoint: FakeEndpoint, kind: str, said: str, expected: str) -> None:
    words = {
        "openai": {"length": "length", "filtered": "content_filter", "new": "tool_calls"},
        "anthropic": {"length": "max_tokens", "filtered": "refusal", "new": "pause_turn"},
    }
    whole = json.loads(
        json.dumps(WHOLES[kind])
        .replace('"stop"', f'"{words[kind][said]}"')
        .replace('"end_turn"', f'"{words[kind][said]}"')
    )
    endpoint.does(answer(whole))
    assert ask(opened(endpoint, kind), False)[0].finish_reason == expected


@KINDS
def test_a_busy_endpoint_is_asked_again_before_the_first_byte(endpoint: FakeEndpoint, kind: str) -> None:
    endpoint.does(answer({}, 529), raw(b""), replies(kind, True))
    assert ask(opened(endpoint, kind), True)[0] == WHOLE
    assert len(endpoint.requests) == 3


@KINDS
@MODES
@pytest.mark.parametrize("when", ["before", "midst"])
def test_an_endpoint_that_goes_silent_is_left(endpoint: FakeEndpoint, kind: str, streaming: bool, when: str) -> None:
    begun = streamed(STREAMS[kind][0]) if streaming else written(WHOLES[kind])[:-5]
    endpoint.does(endpoint.hangs if when == "before" else endpoint.sends_then_hangs(begun))
    with pytest.raises(LimitExceeded, match=r"sent nothing for 0\.3 seconds"):
        ask(opened(endpoint, kind), streaming)
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("part", ["head", "body"])
def test_an_endpoint_that_trickles_for_ever_is_left_when_the_time_is_up(endpoint: FakeEndpoint, part: str) -> None:
    begun = b"HTTP/1.1 200 OK\r\nx: " if part == "head" else streamed()

    def trickles(connection: socket.socket, _request: Request) -> None:
        connection.sendall(begun)
        while not endpoint.closing.wait(0.02):
            connection.sendall(b"x" if part == "head" else b": still here\n\n")

    endpoint.does(trickles)
    chat = open_chat(f"openai:m@{endpoint.url}", environment={}, limits=replace(QUICK, total_seconds=0.5))
    assert chat is not None
    started = time.monotonic()
    with pytest.raises(LimitExceeded, match=r"had not finished after 0\.5 seconds"):
        ask(chat, True)
    assert time.monotonic() - started < 3


def test_waiting_between_attempts_counts_against_the_time(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({}, 503, retry_after="0.4"))
    limits = replace(QUICK, total_seconds=0.3, attempts=100)
    chat = open_chat(f"openai:m@{endpoint.url}", environment={}, limits=limits)
    assert chat is not None
    with pytest.raises(LimitExceeded, match="had not finished"):
        ask(chat, False)
    assert len(endpoint.requests) == 1


@KINDS
@pytest.mark.parametrize("when", ["before", "between attempts", "connected", "streaming"])
def test_cancelling_ends_a_call_at_once(endpoint: FakeEndpoint, kind: str, when: str) -> None:
    cancel, reached = CancelToken(), threading.Event()
    if when == "before":
        cancel.cancel()

    def busy(connection: socket.socket, _request: Request) -> None:
        connection.sendall(written({}, 503, retry_after="30"))
        reached.set()

    def hangs(connection: socket.socket, request: Request) -> None:
        if when == "streaming":
            connection.sendall(streamed(STREAMS[kind][0]))
        reached.set()
        endpoint.hangs(connection, request)

    endpoint.does(busy if when == "between attempts" else hangs)
    canceller = threading.Thread(target=lambda: reached.wait(5) and cancel.cancel())
    canceller.start()
    chat = open_chat(f"{kind}:m@{endpoint.url}", environment={})
    assert chat is not None
    started = time.monotonic()
    with pytest.raises(Cancelled):
        ask(chat, True, cancel=cancel)
    assert time.monotonic() - started < 5
    reached.set()
    canceller.join()


@KINDS
@MODES
def test_a_key_is_never_told(endpoint: FakeEndpoint, kind: str, streaming: bool) -> None:
    chat = opened(endpoint, kind, LAKEHOUSE_CHAT_KEY=SECRET)
    told = []
    refusals: list[tuple[Behaviour, type[LakehouseError]]] = [
        (answer({"error": {"message": f"bad key {SECRET}"}}, 401), NotAllowed),
        (answer({"error": {"message": f"bad request {SECRET}"}}, 400), ModelFailed),
        (answer({"error": {"message": f"busy {SECRET}"}}, 503), ModelFailed),
        (answer(SECRET.encode()), ModelFailed),
        (raw(f"{SECRET}\r\n\r\n".encode()), ModelFailed),
    ]
    for behaviour, expected in refusals:
        endpoint.does(behaviour)
        with pytest.raises(expected) as raised:
            ask(chat, streaming)
        told += [str(raised.value), repr(raised.value), repr(raised.value.__cause__)]
    assert SECRET not in "".join(told) + repr(chat) + repr(vars(chat)) + chat.model


@pytest.mark.parametrize("wrong", [0, -1, 10**9])
def test_a_budget_that_is_none_is_refused(endpoint: FakeEndpoint, wrong: int) -> None:
    endpoint.does(answer(OPENAI_WHOLE))
    with pytest.raises(InvalidInput, match="max_tokens"):
        ask(opened(endpoint, "openai"), False, max_tokens=wrong)
    assert endpoint.requests == []


def test_what_reads_along_may_stop_the_call_with_its_own_error(endpoint: FakeEndpoint) -> None:
    def stops(_text: str) -> None:
        raise ValueError("enough")

    for kind in ("openai", "anthropic"):
        endpoint.does(replies(kind, True))
        with pytest.raises(ValueError, match="enough"):
            opened(endpoint, kind).complete(ASKED, max_tokens=100, on_text=stops)


def test_no_setting_is_no_model() -> None:
    assert open_chat("  ", environment={}) is None


@pytest.mark.parametrize(
    ("spec", "model"),
    [
        ("anthropic:m", "anthropic:m@https://api.anthropic.com"),
        ("openai:a/b@c@http://h:1/v1/", "openai:a/b@c@http://h:1/v1"),
    ],
)
def test_a_model_is_named_with_its_address(spec: str, model: str) -> None:
    chat = open_chat(spec, environment={})
    assert chat is not None
    assert chat.model == model


@pytest.mark.parametrize(
    "spec", ["gpt", "openai:m", "anthropic:", "anthropic:m@nowhere", f"openai:m@http://x:{SECRET}@h/v1"]
)
def test_a_spec_that_is_none_says_how_to_write_one(spec: str) -> None:
    with pytest.raises(InvalidInput, match="MODEL") as raised:
        open_chat(spec, environment={})
    assert SECRET not in str(raised.value)


def test_openais_own_models_get_the_budget_under_its_new_name() -> None:
    def name(url: str) -> str:
        return budget_name(parse(f"openai:m@{url}", "openai", limits=QUICK))

    assert name("https://api.openai.com/v1") == "max_completion_tokens"
    assert name("http://127.0.0.1:8000/v1") == "max_tokens"
