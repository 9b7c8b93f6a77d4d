"""POST /v1/chat/completions and /v1/chat: passed on to the model that is set."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.conftest import TOKEN, Served, serving
from llm.endpoints import FakeEndpoint, answer, running, streamed

PATHS = ["/v1/chat/completions", "/v1/chat"]
BODY: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "Who drives?"}], "temperature": 0}
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Ada"}, "finish_reason": "stop"}]}
PIECES = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in ("A", "da")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[FakeEndpoint]:
    with running() as each:
        yield each


@pytest.fixture(scope="module")
def chatting(endpoint: FakeEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake with a chat model: an endpoint on loopback that does as it is told."""
    with serving(tmp_path_factory.mktemp("chatting"), chat=f"openai:some-model@{endpoint.url}") as each:
        yield each


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Served]:
    """A lake without a chat model, behind a token."""
    with serving(tmp_path, token=TOKEN) as each:
        yield each


def test_without_a_model_the_setting_is_named(silent: Served) -> None:
    for path in PATHS:
        refused = silent.http.post(path, json=BODY)
        assert refused.status_code == 501
        assert "no chat model is set" in refused.json()["detail"]
        assert "LAKEHOUSE_CHAT=openai:MODEL@BASE_URL" in refused.json()["hint"]
        assert silent.http.post(path, json=BODY, headers={"Authorization": ""}).status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_comes_back_as_the_model_gave_it(chatting: Served, endpoint: FakeEndpoint, path: str) -> None:
    endpoint.does(answer(WHOLE))
    given = chatting.http.post(path, json=BODY)
    assert (given.status_code, given.json()) == (200, WHOLE)
    assert endpoint.requests[-1].path == "/v1/chat/completions"
    assert endpoint.requests[-1].body == {**BODY, "model": "some-model"}


def test_the_endpoint_s_words_of_an_error_are_not_passed_on(chatting: Served, endpoint: FakeEndpoint) -> None:
    words = {"error": {"message": "a key: sk-somebody-s"}}
    endpoint.does(lambda connection, _: connection.sendall(streamed(PIECES[0], words)))
    broken = chatting.http.post(PATHS[0], json={**BODY, "stream": True})
    assert json.dumps(PIECES[0]) in broken.text
    assert "sk-somebody" not in broken.text
    assert '"type": "model_failed"' in broken.text
    assert "[DONE]" not in broken.text


def test_a_stream_is_passed_through_as_it_comes(chatting: Served, endpoint: FakeEndpoint) -> None:
    # The rest never comes: the first event is here although the model has not ended.
    endpoint.does(endpoint.sends_then_hangs(streamed(PIECES[0])))
    with chatting.http.stream("POST", PATHS[0], json={**BODY, "stream": True}) as given:
        assert given.headers["content-type"].startswith("text/event-stream")
        first = next(line for line in given.iter_lines() if line)
    assert json.loads(first.removeprefix("data: ")) == PIECES[0]
    endpoint.does(lambda connection, _: connection.sendall(streamed(*PIECES, "[DONE]")))
    whole = chatting.http.post(PATHS[0], json={**BODY, "stream": True})
    said = [line.removeprefix("data: ") for line in whole.text.splitlines() if line]
    assert [json.loads(each) for each in said[:-1]] == PIECES
    assert said[-1] == "[DONE]"


def test_a_stream_that_breaks_off_says_so_at_its_end(chatting: Served, endpoint: FakeEndpoint) -> None:
    endpoint.does(lambda connection, _: connection.sendall(streamed(PIECES[0])))
    broken = chatting.http.post(PATHS[0], json={**BODY, "stream": True})
    assert broken.status_code == 200
    last = json.loads([line for line in broken.text.splitlines() if line][-1].removeprefix("data: "))
    assert last["error"]["type"] == "model_failed"
    assert "[DONE]" not in broken.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_is_a_problem(chatting: Served, endpoint: FakeEndpoint, stream: bool) -> None:
    endpoint.does(answer({"error": {"message": "no such model"}}, status=404))
    failed = chatting.http.post(PATHS[0], json={**BODY, "stream": stream})
    assert failed.status_code == 502
    assert failed.headers["content-type"] == "application/problem+json"
    assert failed.json()["code"] == "model_failed"


@pytest.mark.parametrize("body", [{}, {"messages": []}, {"messages": "hello"}, {"messages": [{"content": "x"}]}])
def test_a_body_without_messages_is_refused(chatting: Served, endpoint: FakeEndpoint, body: dict[str, Any]) -> None:
    asked = len(endpoint.requests)
    refused = chatting.http.post(PATHS[0], json=body)
    assert refused.status_code == 400
    assert len(endpoint.requests) == asked


def test_who_hangs_up_stops_the_model(chatting: Served, endpoint: FakeEndpoint) -> None:
    ended: list[bool] = []

    def watch(connection: socket.socket, request: Any) -> None:
        connection.sendall(streamed(PIECES[0]))
        endpoint.hangs(connection, request)
        # Reached when the other side is gone, well before the test closes everything.
        ended.append(not endpoint.closing.is_set())

    endpoint.does(watch)
    with chatting.http.stream("POST", PATHS[0], json={**BODY, "stream": True}) as given:
        next(given.iter_lines())
    endpoint.does(answer(WHOLE))
    deadline = 200
    while not ended and deadline:
        # Each request is served by the same loop that has to notice the hanging up.
        assert chatting.http.get("/health").status_code == 200
        deadline -= 1
    assert ended == [True]
