"""What a trace says of calls to models: names and counts; texts only where the setting lets them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llm.conftest import QUICK
from llm.dialogues import ASKED, KINDS, MODES, STREAMS, WHOLES
from llm.endpoints import SECRET, FakeEndpoint, answer, raw, streamed
from mcp_lakehouse.errors import NotAllowed
from mcp_lakehouse.llm.chat import open_chat
from mcp_lakehouse.llm.openai_embedder import OpenAiEmbedder
from mcp_lakehouse.settings import read_settings
from mcp_lakehouse.trace import configure
from mcp_lakehouse.tracing import SpanRecord


@pytest.fixture(params=[False, True], ids=["names", "content"])
def content(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def kept(content: bool) -> Iterator[list[SpanRecord]]:
    records: list[SpanRecord] = []
    settings = read_settings({"trace": "lake", "trace_content": str(content)}, {})
    tracing = configure(settings, version="0.0.test", sink=records.extend)
    yield records
    tracing.close()


@KINDS
@MODES
def test_a_chat_leaves_a_span(
    endpoint: FakeEndpoint, kept: list[SpanRecord], content: bool, kind: str, streaming: bool
) -> None:
    endpoint.does(raw(streamed(*STREAMS[kind])) if streaming else answer(WHOLES[kind]))
    environment = {"LAKEHOUSE_CHAT_KEY": SECRET}
    chat = open_chat(f"{kind}:m@{endpoint.url}", environment=environment, limits=QUICK, trace_content=content)
    assert chat is not None
    chat.complete(ASKED, max_tokens=100, on_text=(lambda _text: None) if streaming else None)
    (span,) = kept
    attributes = dict(span.attributes)
    said = {name: attributes.pop(name) for name in list(attributes) if name.endswith(".messages")}
    assert span.name == "chat m"
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": kind,
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    if content:
        assert "Wer fährt?" in str(said["gen_ai.input.messages"])
        assert "Ada fährt." in str(said["gen_ai.output.messages"])
    else:
        assert said == {}
    assert SECRET not in repr(span)


def test_texts_stay_out_of_the_span_itself_where_content_is_off(endpoint: FakeEndpoint, kept: list[SpanRecord]) -> None:
    endpoint.does(answer(WHOLES["openai"]))
    chat = open_chat(f"openai:m@{endpoint.url}", environment={}, limits=QUICK)
    assert chat is not None
    chat.complete(ASKED, max_tokens=100)
    assert "fährt" not in repr(kept)


def test_embedding_leaves_a_span_that_counts(endpoint: FakeEndpoint, kept: list[SpanRecord]) -> None:
    endpoint.does(answer({"data": [{"index": 0, "embedding": [1.0]}]}), answer({}, 401))
    embedder = OpenAiEmbedder.open(f"openai:m@{endpoint.url}", {"OPENAI_API_KEY": SECRET}, QUICK)
    embedder.embed(["a private sentence"])
    with pytest.raises(NotAllowed):
        embedder.embed(["a private sentence"])
    assert [(span.name, span.status, span.attributes.get("error.type")) for span in kept] == [
        ("embeddings m", "unset", None),
        ("embeddings m", "error", "not_allowed"),
    ]
    assert kept[0].attributes["lakehouse.rows"] == 1
    assert "private" not in repr(kept)
