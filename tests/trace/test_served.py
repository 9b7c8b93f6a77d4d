"""From a client, over stdio, into a served lake: one call is one trace, wherever it is sent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult

from mcp_lakehouse.tracing import SpanRecord
from tests.trace.receiver import Receiver, receiving

CANARY = "canary-51c0"


def served(lake: Path, receiver: Receiver, statements: list[str]) -> list[CallToolResult]:
    """What a lake that is served and traced answers to these statements."""
    variables = {
        "LAKEHOUSE_TRACE": "otlp,lake",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "PATH": os.environ["PATH"],
    }
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_lakehouse", "--lake", str(lake), "serve"], env=variables
    )

    async def talk() -> list[CallToolResult]:
        async with Client(server) as client:
            return [await client.call_tool("sql", {"statement": statement}) for statement in statements]

    return anyio.run(talk)


def test_client_tool_and_statement_are_one_trace_without_content(kept: list[SpanRecord], tmp_path: Path) -> None:
    failing = f"SELECT '{CANARY}'::INTEGER"
    with receiving() as receiver:
        answers = served(tmp_path / "lake", receiver, [f"SELECT '{CANARY}' AS said", failing])
    assert [answer.is_error for answer in answers] == [False, True]
    tools = [each for each in receiver.spans if each.name == "tools/call sql"]
    works = [each for each in receiver.spans if each.name == "lake.sql"]
    clients = [each for each in kept if each.kind == "client" and "tools/call" in each.name]
    assert len(tools) == len(works) == len(clients) == 2
    for client, tool, work in zip(clients, tools, works, strict=True):
        assert client.trace_id == tool.trace_id.hex() == work.trace_id.hex()
        assert tool.parent_span_id.hex() == client.span_id
        assert work.parent_span_id == tool.span_id
    said, failed = ({each.key: each.value for each in work.attributes} for work in works)
    assert said["db.query.summary"].string_value == "SELECT"
    assert failed["error.type"].string_value == "statement_failed"
    assert CANARY not in "".join(str(request.decoded) for request in receiver.requests)


def test_a_traced_lake_answers_about_its_own_calls(tmp_path: Path) -> None:
    question = "SELECT name, status, attributes FROM system.spans WHERE name = 'lake.sql' ORDER BY started_at"
    with receiving() as receiver:
        answers = served(tmp_path / "lake", receiver, [f"SELECT '{CANARY}' AS said", question])
    content = answers[1].structured_content
    assert content is not None
    (row,) = content["rows"]
    assert row[:2] == ["lake.sql", "unset"]
    assert '"db.query.summary": "SELECT"' in row[2]
    assert CANARY not in str(row)
