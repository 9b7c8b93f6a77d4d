"""Tools that read: list_datasets, describe_dataset, sql, read_result."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp_types import CallToolResult
from pydantic import Field

from lakehouse_tools.budget import PLAIN_CHARS, ROOMY_CHARS
from lakehouse_tools.calls import Calls
from lakehouse_tools.registry import add_tool
from lakehouse_tools.render import result
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.limits import ResultLimits
from mcp_lakehouse.records import DatasetDescription, DatasetList, QueryResult

_PREVIEW_ROWS = ResultLimits().preview_rows
Scalar = str | int | float | bool | None
# Covariant, so that they are JSON values for the lake too.
Params = list[Scalar] | dict[str, Scalar]


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls) -> None:
    """Add the reading tools."""

    async def list_datasets(match: str | None = None, limit: int = 50, cursor: str | None = None) -> CallToolResult:
        """List datasets. `match` looks in names and descriptions."""
        return result(await calls.run(lambda _: lake.list_datasets(match, limit, cursor)))

    async def describe_dataset(dataset: str, sample_rows: int = 3) -> CallToolResult:
        """Columns with types and statistics, sample rows, key and lineage of one dataset. Call before writing SQL."""
        return result(await calls.run(lambda _: lake.describe_dataset(dataset, sample_rows)))

    async def sql(
        statement: str,
        params: Annotated[Params | None, Field(description="values for ?, $1 or $name")] = None,
        max_rows: int = _PREVIEW_ROWS,
        response_format: Annotated[
            Literal["concise", "detailed"], Field(description="detailed: long cells whole, dataset versions, trace")
        ] = "concise",
    ) -> CallToolResult:
        """Run one read-only DuckDB statement over the datasets (by name, no schema). Old versions:
        t AT (VERSION => 3); rows that differ: changes('t', 3, 5). An earlier result: FROM result('<result_uri>').
        About the lake itself: system.datasets, columns, versions, operations, errors, spans, rejects. Big results
        are cut; their result_uri holds all rows. Aggregate in SQL rather than reading rows."""
        detailed = response_format == "detailed"
        answer = await calls.run(lambda token: lake.sql(statement, params, max_rows, detailed=detailed, cancel=token))
        return result(answer, ROOMY_CHARS if detailed or max_rows > _PREVIEW_ROWS else PLAIN_CHARS)

    async def read_result(result_uri: str, offset: int = 0, max_rows: int = _PREVIEW_ROWS) -> CallToolResult:
        """Page through a result_uri of sql, or a rejects_uri of ingest."""
        page = await calls.run(lambda token: lake.read_result(result_uri, offset, max_rows, cancel=token))
        return result(page, ROOMY_CHARS if max_rows > _PREVIEW_ROWS else PLAIN_CHARS)

    add_tool(server, list_datasets, title="List datasets", record=DatasetList, read_only=True)
    add_tool(server, describe_dataset, title="Describe a dataset", record=DatasetDescription, read_only=True)
    add_tool(server, sql, title="SQL query", record=QueryResult, read_only=True)
    add_tool(server, read_result, title="Read result", record=QueryResult, read_only=True)
