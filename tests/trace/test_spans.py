"""One call is one trace; a span carries names, counts and codes."""

from __future__ import annotations

import subprocess
import sys

import anyio
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer

from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.settings import Settings, read_settings
from mcp_lakehouse.trace import (
    annotate,
    configure,
    current_trace_id,
    span,
    statement_attributes,
    untraced,
)
from mcp_lakehouse.tracing import SpanRecord


def test_spans_inside_one_another_are_one_trace(kept: list[SpanRecord]) -> None:
    with span("outer"):
        trace_id = current_trace_id()
        with span("inner"):
            assert current_trace_id() == trace_id
    inner, outer = kept
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent_id == outer.span_id
    assert outer.parent_id is None
    assert {inner.trace_id, outer.trace_id} == {trace_id}
    assert outer.started_at <= inner.started_at <= inner.ended_at <= outer.ended_at
    assert outer.duration_ms >= inner.duration_ms > 0
    assert outer.started_at.utcoffset() is not None


def test_short_names_are_ours_and_nothing_is_left_out_but_none(kept: list[SpanRecord]) -> None:
    with span("load", dataset="workers", version=None, **{"db.system.name": "duckdb"}):
        annotate(rows=3, truncated=False)
    assert kept[0].attributes == {
        "lakehouse.dataset": "workers",
        "db.system.name": "duckdb",
        "lakehouse.rows": 3,
        "lakehouse.truncated": False,
    }


def test_a_failure_is_recorded_by_its_code(kept: list[SpanRecord]) -> None:
    with pytest.raises(NotFound), span("describe"):
        raise NotFound("there is no dataset canary", hint="list_datasets")
    with pytest.raises(ZeroDivisionError), span("divide"):
        _ = 1 // 0
    assert [(each.status, each.attributes) for each in kept] == [
        ("error", {"error.type": "not_found"}),
        ("error", {"error.type": "ZeroDivisionError"}),
    ]


def test_work_that_ends_well_has_no_error(kept: list[SpanRecord]) -> None:
    with span("fine"):
        pass
    assert kept[0].status == "unset"
    assert "error.type" not in kept[0].attributes


def test_outside_a_span_there_is_no_trace_id(kept: list[SpanRecord]) -> None:
    assert current_trace_id() is None
    with untraced(), span("a write about itself"):
        assert current_trace_id() is None
    assert kept == []


def test_after_close_nothing_is_kept(settings: Settings) -> None:
    records: list[SpanRecord] = []
    configure(settings, version="0", sink=records.extend).close()
    with span("late"):
        pass
    assert records == []


def test_a_sink_that_fails_does_not_fail_the_call(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: list[SpanRecord]) -> None:
        raise OSError("full")

    tracing = configure(settings, version="0", sink=broken)
    with span("work"):
        done = True
    tracing.close()
    assert done
    assert "a span could not be kept" in caplog.text


def test_trace_none_makes_no_trace_and_loads_no_sdk() -> None:
    script = """
import sys
from mcp_lakehouse.settings import read_settings
from mcp_lakehouse.trace import configure, current_trace_id, span
tracing = configure(read_settings({}, {}), version="0")
with span("work", rows=1):
    assert current_trace_id() is None
tracing.close()
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_tool_call_and_the_work_below_it_are_one_trace(kept: list[SpanRecord]) -> None:
    server = MCPServer("lake")

    @server.tool()
    def count(dataset: str) -> int:
        """Count."""
        with span("sql", **statement_attributes("SELECT count(*) FROM workers", [dataset])):
            return 3

    async def call() -> None:
        async with Client(server) as client:
            await client.call_tool("count", {"dataset": "workers"})

    anyio.run(call)
    tool = next(each for each in kept if each.name == "tools/call count")
    sql = next(each for each in kept if each.name == "sql")
    assert (sql.trace_id, sql.parent_id) == (tool.trace_id, tool.span_id)
    assert tool.kind == "server"
    assert tool.attributes["gen_ai.tool.name"] == "count"
    assert sql.attributes["db.query.summary"] == "SELECT workers"


@pytest.mark.parametrize(
    ("statement", "datasets", "summary"),
    [
        ("SELECT 1", [], "SELECT"),
        ("  -- who? 'canary'\n /* canary */ (select * from a, b)", ["a", "b"], "SELECT a b"),
        ("WITH t AS (SELECT 1) FROM t", ["t"], "SELECT t"),
        ("FROM workers", ["workers"], "SELECT workers"),
        ("summarize workers", ["workers"], "SUMMARIZE workers"),
        ("drop table workers", [], "DROP"),
        ("canary canary", [], "OTHER"),
        ("'canary'", [], "OTHER"),
        ("/* never closed canary", [], "OTHER"),
        ("", [], "OTHER"),
    ],
)
def test_a_statement_is_summed_up_by_verb_and_datasets(statement: str, datasets: list[str], summary: str) -> None:
    attributes = statement_attributes(statement, datasets)
    assert attributes["db.query.summary"] == summary
    assert attributes["db.operation.name"] == summary.split()[0]
    assert "canary" not in str(attributes)


def test_a_summary_stays_short_and_ends_at_a_whole_name() -> None:
    summary = str(statement_attributes("SELECT 1", [f"dataset_{n:03}" for n in range(100)])["db.query.summary"])
    assert 200 < len(summary) <= 255
    assert set(summary.split()[1:]) <= {f"dataset_{n:03}" for n in range(100)}


def test_the_text_of_a_statement_is_there_only_on_request() -> None:
    assert statement_attributes("SELECT 7", [], content=True)["db.query.text"] == "SELECT 7"
    assert "db.query.text" not in statement_attributes("SELECT 7", [])


def test_none_is_the_default() -> None:
    assert read_settings({}, {}).text("trace") == "none"
