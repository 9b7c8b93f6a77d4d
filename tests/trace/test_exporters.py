"""What leaves the process, where it goes, and what a collector that is gone costs."""

from __future__ import annotations

import socket
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest
from opentelemetry import trace as otel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.settings import read_settings
from mcp_lakehouse.trace import configure, span, statement_attributes
from mcp_lakehouse.tracing.privacy import AllowedOnly
from tests.trace.receiver import Receiver, receiving

CANARY = "canary-7f3a"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def langfuse(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    monkeypatch.setenv("LANGFUSE_BASE_URL", receiver.url + "/")
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-2")
    return receiver


def trace(kind: str, work: Callable[[], None], *, content: bool = False) -> float:
    """Do the work traced; returns the seconds that `close` took."""
    settings = read_settings({"trace": kind, "trace_content": str(content)}, {})
    tracing = configure(settings, version="1.2.3", sink=None)
    work()
    before = time.monotonic()
    tracing.close()
    return time.monotonic() - before


def leaky_work() -> None:
    """Everything that an instrumentation could let slip, ours or that of a library."""
    statement = f"SELECT '{CANARY}' FROM workers"
    with span("sql", **statement_attributes(statement, ["workers"], content=True)) as current:
        current.set_attribute("gen_ai.tool.call.arguments", CANARY)
        current.add_event("result", {"rows": CANARY})
        current.record_exception(ValueError(CANARY))
        current.set_status(otel.Status(otel.StatusCode.ERROR, CANARY))


def test_otlp_gets_the_spans_with_the_service_and_its_version(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    trace("otlp", leaky_work)
    assert [request.path for request in receiver.requests] == ["/v1/traces"]
    (sent,) = receiver.spans
    assert sent.name == "sql"
    assert {each.key: each.value.string_value for each in sent.attributes} == {
        "db.system.name": "duckdb",
        "db.operation.name": "SELECT",
        "db.collection.name": "workers",
        "db.query.summary": "SELECT workers",
    }
    resource = receiver.requests[0].decoded.resource_spans[0].resource.attributes
    assert {each.key: each.value.string_value for each in resource}["service.name"] == "mcp-lakehouse"


@pytest.mark.parametrize("kind", ["otlp", "langfuse"])
def test_content_leaves_only_when_it_was_asked_for(
    kind: str, langfuse: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", langfuse.url)
    trace(kind, leaky_work)
    assert CANARY.encode() not in langfuse.requests[0].body
    trace(kind, leaky_work, content=True)
    assert langfuse.requests[1].body.count(CANARY.encode()) >= 4


def test_any_exporter_gets_copies_without_content() -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(AllowedOnly(memory, content=False)))
    parent = provider.get_tracer("test").start_span("parent")
    with provider.get_tracer("test").start_as_current_span("work", context=otel.set_span_in_context(parent)) as current:
        current.set_attributes({"gen_ai.tool.name": "sql", "gen_ai.tool.call.arguments": CANARY})
        current.record_exception(ValueError(CANARY))
        current.set_status(otel.Status(otel.StatusCode.ERROR, CANARY))
    (finished,) = memory.get_finished_spans()
    assert CANARY not in finished.to_json()
    assert finished.attributes == {"gen_ai.tool.name": "sql"}
    assert finished.status.status_code is otel.StatusCode.ERROR
    assert finished.parent == parent.get_span_context()


def test_langfuse_gets_its_path_its_keys_its_header_and_nothing_else(
    langfuse: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-other-collector=its-secret,authorization=Bearer other")
    trace("langfuse", leaky_work)
    (request,) = langfuse.requests
    assert (request.method, request.path) == ("POST", "/api/public/otel/v1/traces")
    assert request.headers["authorization"] == "Basic " + b64encode(b"pk-lf-1:sk-lf-2").decode()
    assert request.headers["x-langfuse-ingestion-version"] == "4"
    assert "its-secret" not in str(request.headers)
    assert [each.name for each in request.spans] == ["sql"]


def test_we_speak_to_langfuse_as_its_own_client_does(langfuse: Receiver) -> None:
    from langfuse._client.span_processor import LangfuseSpanProcessor

    theirs = TracerProvider(shutdown_on_exit=False)
    theirs.add_span_processor(
        LangfuseSpanProcessor(
            public_key="pk-lf-1", secret_key="sk-lf-2", base_url=langfuse.url, should_export_span=lambda _: True
        )
    )
    theirs.get_tracer("test").start_span("theirs").end()
    theirs.shutdown()
    trace("langfuse", leaky_work)
    their, our = langfuse.requests
    same = ("authorization", "x-langfuse-ingestion-version", "content-type", "content-encoding")
    assert (our.method, our.path) == (their.method, their.path)
    assert {name: our.headers[name] for name in same} == {name: their.headers[name] for name in same}


def test_several_exporters_each_get_every_span(langfuse: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", langfuse.url)
    trace("otlp, langfuse", leaky_work)
    assert {request.path for request in langfuse.requests} == {"/v1/traces", "/api/public/otel/v1/traces"}
    assert [each.name for each in langfuse.spans] == ["sql", "sql"]


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "never answers"])
def test_a_dead_collector_costs_less_than_two_seconds(accepts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        if accepts:
            dead.listen()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{dead.getsockname()[1]}")
        before = time.monotonic()
        close_seconds = trace("otlp", leaky_work)
        assert time.monotonic() - before - close_seconds < 1
        assert close_seconds < 2


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("otlp", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
        ("langfuse", "opentelemetry.exporter.otlp.proto.http.trace_exporter"),
    ],
)
def test_a_missing_extra_is_named(kind: str, module: str, langfuse: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "mcp_lakehouse.tracing.langfuse", raising=False)
    with pytest.raises(InvalidInput) as caught:
        trace(kind, leaky_work)
    assert caught.value.hint == f'pip install "mcp-lakehouse[{kind}]"'
    assert langfuse.requests == []


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"LANGFUSE_BASE_URL": ""}, "no address"),
        ({"LANGFUSE_BASE_URL": "localhost:3000"}, "no address"),
        ({"LANGFUSE_SECRET_KEY": ""}, "key is missing"),
    ],
)
def test_langfuse_needs_an_address_and_keys(
    variables: dict[str, str], says: str, langfuse: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=says):
        trace("langfuse", leaky_work)
    assert langfuse.requests == []


@pytest.mark.parametrize("kind", ["jaeger", "none,lake"])
def test_what_cannot_be_traced_to_says_what_can(kind: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        trace(kind, leaky_work)
    assert caught.value.hint


def test_the_lake_needs_a_lake() -> None:
    with pytest.raises(InvalidInput, match="no lake"):
        trace("lake", leaky_work)


def test_a_protocol_that_we_do_not_speak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(InvalidInput, match="grpc"):
        trace("otlp", leaky_work)
