"""Tools that change the lake: ingest, build_index, rollback_index, drop_dataset, restore_dataset."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp_types import CallToolResult
from pydantic import Field
from typing_extensions import TypedDict

from lakehouse_tools.calls import Calls, Ctx, client_name, progress_to
from lakehouse_tools.registry import add_tool
from lakehouse_tools.render import result
from lakehouse_tools.subscriptions import Subscribers
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.records import DropReport, IndexReport, IngestReport, RestoreReport, RollbackReport

# The right that each tool takes.
RIGHTS = {
    "ingest": "ingest",
    "build_index": "index",
    "rollback_index": "index",
    "drop_dataset": "admin",
    "restore_dataset": "admin",
}


class Inline(TypedDict):
    """Text given in the call; the name's ending tells its format."""

    text: str
    name: str


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls, subscribers: Subscribers) -> None:
    """Add the tools that change data."""

    async def ingest(
        ctx: Ctx,
        source: Annotated[
            str | list[str] | Inline, Field(description="path, folder, glob, several, or {text, name: 'x.csv'}")
        ],
        dataset: str | None = None,
        mode: Literal["append", "replace", "upsert", "delete"] = "append",
        key: Annotated[
            list[str] | None, Field(description="columns that identify a row (upsert, delete; documents need none)")
        ] = None,
        text: Annotated[list[str] | None, Field(description="columns to make searchable")] = None,
        description: str | None = None,
        bucket: Annotated[str | None, Field(description="where a new dataset is to live (list_buckets)")] = None,
    ) -> CallToolResult:
        """Load CSV, TSV, JSON, NDJSON, Parquet, Arrow, Excel, PDF, Markdown, HTML or text files into a dataset
        (default name: the file's) as one new version, or none. Types are inferred; bad rows go to rejects_uri.
        The same bytes twice change nothing (unchanged=true). delete: rows with a key of the source go."""

        def work(token: CancelToken) -> IngestReport:
            given = {"text": source["text"], "name": source["name"]} if isinstance(source, dict) else source
            return lake.ingest(
                given, dataset, mode, key, text, description, bucket=bucket,
                who=client_name(ctx), progress=progress_to(ctx, token), cancel=token,
            )  # fmt: skip

        report = await calls.run(work)
        if not report.unchanged:
            await subscribers.dataset_changed(report.dataset)
        return result(report)

    async def build_index(
        ctx: Ctx,
        dataset: str,
        columns: Annotated[list[str] | None, Field(description="text columns, in place of the present ones")] = None,
        embedder: Annotated[str | None, Field(description="wordllama, minilm or openai:MODEL@BASE_URL")] = None,
        params: Annotated[
            dict[str, float] | None, Field(description="M, ef_construction, ef, min_recall (0 to 1)")
        ] = None,
    ) -> CallToolResult:
        """Make a table searchable by its text columns, or rebuild an index. Its recall is measured; below
        params.min_recall it is not published and the present one goes on serving."""

        def work(token: CancelToken) -> IndexReport:
            return lake.build_index(
                dataset, columns, embedder, params,
                who=client_name(ctx), progress=progress_to(ctx, token), cancel=token,
            )  # fmt: skip

        report = await calls.run(work)
        if report.published or columns is not None:
            await subscribers.dataset_changed(report.dataset)
        return result(report)

    async def rollback_index(ctx: Ctx, dataset: str) -> CallToolResult:
        """Let the index generation before the present one (system.generations) serve again."""
        report = await calls.run(lambda _: lake.rollback_index(dataset, who=client_name(ctx)))
        await subscribers.dataset_changed(report.dataset)
        return result(report)

    async def drop_dataset(ctx: Ctx, dataset: str, confirm: str) -> CallToolResult:
        """Drop a dataset; `confirm` is its name again. restore_dataset brings it back."""
        report = await calls.run(lambda _: lake.drop_dataset(dataset, confirm, who=client_name(ctx)))
        await subscribers.dataset_changed(report.dropped)
        return result(report)

    async def restore_dataset(ctx: Ctx, dataset: str, version: int | None = None) -> CallToolResult:
        """Bring back a dropped dataset, or make an older version (system.versions) the newest again."""
        report = await calls.run(lambda _: lake.restore_dataset(dataset, version, who=client_name(ctx)))
        await subscribers.dataset_changed(report.dataset)
        return result(report)

    add_tool(server, ingest, title="Load data", record=IngestReport, idempotent=True)
    add_tool(server, build_index, title="Build a search index", record=IndexReport)
    add_tool(server, rollback_index, title="Roll back a search index", record=RollbackReport)
    add_tool(server, drop_dataset, title="Drop a dataset", record=DropReport, destructive=True)
    add_tool(server, restore_dataset, title="Restore a dataset", record=RestoreReport)
