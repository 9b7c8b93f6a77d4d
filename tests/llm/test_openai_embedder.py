"""Vectors from an endpoint: batches, order, checks, and every way an endpoint can go wrong."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from llm.conftest import QUICK
from llm.endpoints import SECRET, Behaviour, FakeEndpoint, Request, answer, raw, written
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, LimitExceeded, ModelFailed, NotAllowed
from mcp_lakehouse.llm import open_embedder
from mcp_lakehouse.llm.openai_embedder import OpenAiEmbedder


def vectors(dimensions: int = 4) -> Behaviour:
    """Answers with a vector for each text that says how long the text was; in reverse order."""

    def behaviour(connection: socket.socket, request: Request) -> None:
        texts = request.body["input"]
        data = [
            {"index": index, "embedding": [float(len(text))] + [1.0] * (dimensions - 1)}
            for index, text in enumerate(texts)
        ]
        connection.sendall(written({"data": data[::-1]}))

    return behaviour


def embedding(*numbers: object) -> dict[str, object]:
    return {"data": [{"index": 0, "embedding": list(numbers)}]}


def opened(endpoint: FakeEndpoint, **environment: str) -> OpenAiEmbedder:
    return OpenAiEmbedder.open(f"openai:some@model@{endpoint.url}", environment, QUICK)


def test_texts_go_in_batches_and_vectors_come_back_in_order(endpoint: FakeEndpoint) -> None:
    endpoint.does(vectors())
    texts = ["x" * (number % 50) for number in range(150)]
    done: list[int] = []
    embedder = opened(endpoint)
    found = embedder.embed(texts, progress=done.append)
    assert embedder.dimensions == 4
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), [float(bool(text)) for text in texts], atol=1e-5)
    assert all(
        text == "" or row[0] / row[1] == pytest.approx(len(text), rel=1e-4)
        for text, row in zip(texts, found, strict=True)
    )
    assert [len(request.body["input"]) for request in endpoint.requests] == [64, 64, 19]
    assert endpoint.requests[0].path == "/v1/embeddings"
    assert endpoint.requests[0].body["model"] == "some@model"
    assert done == sorted(done)
    assert done[-1] == 150


def test_dimensions_are_asked_once(endpoint: FakeEndpoint) -> None:
    endpoint.does(vectors(7))
    embedder = opened(endpoint)
    assert endpoint.requests == []
    assert embedder.dimensions == 7
    assert embedder.embed(["", "  "]).shape == (2, 7)
    assert not embedder.embed([""]).any()
    assert len(endpoint.requests) == 1


def test_spec_and_model_name_the_address() -> None:
    embedder = open_embedder("openai:m@http://127.0.0.1:1/v1/", cache=Path(), environment={})
    assert embedder.spec == embedder.model == "openai:m@http://127.0.0.1:1/v1"
    embedder.close()


@pytest.mark.parametrize("first", [429, 500, 503, "dropped"])
def test_a_busy_or_broken_endpoint_is_asked_again(endpoint: FakeEndpoint, first: int | str) -> None:
    failing = raw(b"") if first == "dropped" else answer({}, int(first), retry_after="0.01")
    endpoint.does(failing, failing, vectors())
    assert opened(endpoint).embed(["word"]).shape == (1, 4)
    assert len(endpoint.requests) == 3


def test_attempts_have_an_end(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({"error": {"message": "overloaded"}}, 503))
    with pytest.raises(ModelFailed, match=r"HTTP 503.*overloaded\nhint: try again later"):
        opened(endpoint).embed(["word"])
    assert len(endpoint.requests) == QUICK.attempts


def test_a_wait_that_is_too_long_is_not_waited_for(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({}, 429, retry_after="3600"))
    with pytest.raises(ModelFailed, match="HTTP 429"):
        opened(endpoint).embed(["word"])
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "variables",
    [{"OPENAI_API_KEY": SECRET}, {"OPENAI_API_KEY": "other", "LAKEHOUSE_EMBEDDER_KEY": f"{SECRET}\n"}],
    ids=["openai", "ours"],
)
def test_the_key_is_sent_and_never_told(endpoint: FakeEndpoint, variables: dict[str, str]) -> None:
    endpoint.does(answer({"error": {"message": f"wrong key {SECRET} given"}}, 401))
    embedder = opened(endpoint, **variables)
    with pytest.raises(NotAllowed) as raised:
        embedder.embed(["word"])
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert len(endpoint.requests) == 1
    chain = [raised.value, raised.value.__cause__]
    assert SECRET not in "".join(map(repr, (*chain, *map(str, chain), embedder._poster.endpoint, vars(embedder))))


def test_without_a_key_none_is_sent(endpoint: FakeEndpoint) -> None:
    endpoint.does(vectors())
    opened(endpoint).embed(["word"])
    assert "authorization" not in endpoint.requests[0].headers


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", {}, [], "text", {"data": {}}, {"data": []}, {"data": [{"index": 0}]},
        {"data": [{"index": 1, "embedding": [1.0]}]}, {"data": [{"index": "x", "embedding": [1.0]}]},
        embedding(), embedding("a"), embedding(None), embedding([1.0]), embedding(1e400), {"data": [{"index": 0, "embedding": "AACAPw=="}]},
        {"data": [{"index": 0, "embedding": [1.0]}] * 2 + [{"index": 1, "embedding": [1.0]}]},
        embedding(*[1.0] * 9000), b"[" * 50_000, b'{"data": [{"index": 0, "embedding": [NaN]}]}',
    ],
    ids=lambda body: repr(body)[:40],
)  # fmt: skip
def test_an_answer_of_another_shape_is_an_error(endpoint: FakeEndpoint, body: object) -> None:
    endpoint.does(answer(body))
    with pytest.raises(ModelFailed, match=r"the answer of 127\.0\.0\.1"):
        opened(endpoint).embed(["word"])


def test_vectors_of_another_length_than_before_are_an_error(endpoint: FakeEndpoint) -> None:
    endpoint.does(vectors(4), vectors(5))
    embedder = opened(endpoint)
    embedder.embed(["word"])
    with pytest.raises(ModelFailed, match="vectors of 5 numbers where it gave 4"):
        embedder.embed(["word"])


@pytest.mark.parametrize(
    ("behaviour", "kind", "told"),
    [
        (raw(written({"data": []}, length=5_000)), ModelFailed, "broke off"),
        (raw(written(embedding(1.0), length=3)), ModelFailed, "not JSON"),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n"), ModelFailed, "broke off"),
        (answer(b"x" * 200_000), ModelFailed, "longer than 100,000 bytes"),
        (answer(b"not gzip", content_encoding="gzip"), ModelFailed, "not what its headers say"),
        (answer({}, 302, location="http://127.0.0.1:1/"), ModelFailed, "sends us elsewhere"),
        (answer({"error": "no such model"}, 404), ModelFailed, "no such model or path"),
        (answer({"error": {"message": "too\x1b[31m long"}}, 400), ModelFailed, r"HTTP 400\): too \[31m long"),
    ],
    ids=["short", "cut", "no http", "huge", "encoding", "redirect", "404", "400"],
)  # fmt: skip
def test_an_answer_that_is_not_what_it_says(
    endpoint: FakeEndpoint, behaviour: Behaviour, kind: type[LakehouseError], told: str
) -> None:
    endpoint.does(behaviour)
    with pytest.raises(kind, match=told):
        opened(endpoint).embed(["word"])


def test_nobody_listening_is_told_with_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    embedder = OpenAiEmbedder.open(f"openai:m@http://127.0.0.1:{port}/v1", {}, QUICK)
    with pytest.raises(ModelFailed, match=rf"cannot be reached.*\nhint: is http://127.0.0.1:{port}/v1 right"):
        embedder.embed(["word"])


def test_an_endpoint_that_hangs_is_left(endpoint: FakeEndpoint) -> None:
    endpoint.does(endpoint.hangs)
    with pytest.raises(LimitExceeded, match=r"sent nothing for 0\.3 seconds"):
        opened(endpoint).embed(["word"])
    assert len(endpoint.requests) == 1


def test_a_cancelled_call_ends_while_the_endpoint_hangs(endpoint: FakeEndpoint) -> None:
    cancel, asked = CancelToken(), threading.Event()

    def hangs(connection: socket.socket, request: Request) -> None:
        asked.set()
        endpoint.hangs(connection, request)

    endpoint.does(hangs)
    canceller = threading.Thread(target=lambda: asked.wait(5) and cancel.cancel())
    canceller.start()
    embedder = OpenAiEmbedder.open(f"openai:m@{endpoint.url}", {})
    with pytest.raises(Cancelled):
        embedder.embed(["word"], cancel=cancel)
    canceller.join()


@pytest.mark.parametrize(
    "spec",
    ["openai:", "openai:m", "openai:m@", "openai:@http://h", "openai:m@ftp://h", "openai:m@http://", "openai:m@http://h:99999",
     f"openai:m@http://user:{SECRET}@h/v1", f"openai:m@http://h/v1?key={SECRET}", "openai:m@http://h/#x", f"openai:{SECRET}"],
)  # fmt: skip
def test_a_spec_that_is_none_says_how_to_write_one(spec: str) -> None:
    with pytest.raises(InvalidInput, match="MODEL@BASE_URL") as raised:
        open_embedder(spec, cache=Path(), environment={})
    assert SECRET not in str(raised.value)


def test_an_unknown_embedder_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="use wordllama, minilm or openai:MODEL@BASE_URL"):
        open_embedder("word2vec", cache=Path())


def test_a_key_that_no_header_can_carry_is_refused_without_telling_it() -> None:
    with pytest.raises(InvalidInput, match="holds characters that no key has") as raised:
        open_embedder("openai:m@http://h/v1", cache=Path(), environment={"OPENAI_API_KEY": f"{SECRET}\nx: y"})
    assert SECRET not in str(raised.value)
