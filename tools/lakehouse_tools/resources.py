"""Resources: the catalog, each dataset, its sample, and whole results; updates are notified."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from urllib.parse import quote

from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from lakehouse_tools.calls import Calls
from mcp_lakehouse.errors import InvalidInput, LakehouseError, LimitExceeded, NotFound
from mcp_lakehouse.lakehouse import Lakehouse
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.records import Json, to_json
from mcp_lakehouse.sql.guard import RESULT_PREFIX

DATASETS = "lakehouse://datasets"
ERRORS = "lakehouse://errors"
# A resource is read whole, into memory on both sides.
_RESOURCE_BYTES = 8 * MIB
_PAGE = 1_000
_ERRORS = 100
# How a page marks a value that it shows in part.
_CUT = re.compile(r"… \[[\d,]+ more characters\]$")


def register(server: MCPServer[Any], lake: Lakehouse, calls: Calls) -> None:
    """Add the resources."""

    async def read(uri: str, work: Any) -> Any:
        try:
            return await calls.run_raw(work)
        except (NotFound, InvalidInput) as error:
            raise ResourceNotFoundError(f"{uri}: {error}") from error
        except LakehouseError as error:
            raise ResourceError(f"{uri}: {error}") from error

    @server.resource(
        DATASETS,
        name="datasets",
        title="Datasets",
        description="All datasets of the lake",
        mime_type="application/json",
    )
    async def datasets() -> str:
        return _compact(await read(DATASETS, lambda _: to_json(lake.list_datasets(limit=1_000))))

    if lake.may("admin"):

        @server.resource(
            ERRORS,
            name="errors",
            title="Errors",
            description=f"The newest {_ERRORS} failures of the lake",
            mime_type="application/json",
        )
        async def errors() -> str:
            return _compact(await read(ERRORS, lambda _: to_json(lake.list_errors(_ERRORS))))

    @server.resource(
        DATASETS + "/{name}",
        name="dataset",
        title="Dataset",
        description="Columns, statistics, key, lineage and search index of a dataset",
        mime_type="application/json",
    )
    async def dataset(name: str) -> str:
        return _compact(await read(f"{DATASETS}/{name}", lambda _: to_json(lake.describe_dataset(name, 0))))

    @server.resource(
        DATASETS + "/{name}/sample",
        name="sample",
        title="Sample rows",
        description="The first 20 rows of a dataset",
        mime_type="application/json",
    )
    async def sample(name: str) -> str:
        quoted = name.replace('"', '""')
        return _compact(
            await read(f"{DATASETS}/{name}/sample", lambda _: to_json(lake.sql(f'FROM "{quoted}" LIMIT 20')))
        )

    @server.resource(
        DATASETS + "/{name}/v{version}/rows/{row}{#passage}",
        name="passage",
        title="Cited passage",
        description="The passage that an id of search or ask stands for, with where it lies",
        mime_type="application/json",
    )
    async def passage(name: str, version: str, row: str, passage: str) -> str:
        uri = f"{DATASETS}/{quote(name)}/v{version}/rows/{row}#{passage}"
        found = _compact(await read(uri, lambda token: to_json(lake.fetch(uri, cancel=token))))
        if len(found) > _RESOURCE_BYTES:
            raise ResourceError(f"{uri}: the text is too long for a resource\nhint: fetch shows it in parts")
        return found

    @server.resource(
        "lakehouse://results/{identifier}{?format}",
        name="result",
        title="Result of a statement",
        description="All rows of a result: format=json (default), csv, or arrow (IPC file)",
        mime_type="application/json",
    )
    async def whole_result(identifier: str, format: str = "json") -> str | bytes:
        uri = f"lakehouse://results/{identifier}"
        if format == "arrow":
            return bytes(await read(uri, lambda _: _arrow(lake, uri)))
        if format not in ("json", "csv"):
            raise ResourceNotFoundError(f"{uri}: format is json, csv or arrow, not {format[:20]!r}")
        columns, rows = await read(uri, lambda _: _all_rows(lake, uri))
        if format == "json":
            return _compact({"columns": [to_json(column) for column in columns], "rows": rows})
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.name for column in columns])
        writer.writerows([_csv_cell(cell) for cell in row] for row in rows)
        return out.getvalue()


def content_types() -> Any:
    """Middleware: the SDK knows one content type for each template, a result has one for each format."""

    async def middleware(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        uri = str((ctx.params or {}).get("uri", "")) if ctx.method == "resources/read" else ""
        if uri.startswith(RESULT_PREFIX) and isinstance(result, dict):
            for ending, kind in _CONTENT_TYPES.items():
                if uri.endswith(ending):
                    for content in result.get("contents", ()):
                        content["mimeType"] = kind
        return result

    return middleware


_CONTENT_TYPES = {"format=csv": "text/csv", "format=arrow": "application/vnd.apache.arrow.file"}


def _all_rows(lake: Lakehouse, uri: str) -> tuple[list[Any], list[list[Json]]]:
    rows: list[list[Json]] = []
    size = 0
    while True:
        page = lake.read_result(uri, len(rows), _PAGE)
        rows.extend(page.rows)
        size += sum(len(json.dumps(row, ensure_ascii=False)) for row in page.rows)
        _check_size(size, page.row_count)
        if any(isinstance(cell, str) and _CUT.search(cell) for row in page.rows for cell in row):
            raise LimitExceeded("a value is too long for this format", hint="read it whole with ?format=arrow")
        if not page.rows or len(rows) >= page.row_count:
            return page.columns, rows


def _arrow(lake: Lakehouse, uri: str) -> bytes:
    stored = lake.results.find(uri)
    _check_size(stored.size, stored.rows)
    return stored.read()


def _check_size(size: int, rows: int) -> None:
    if size > _RESOURCE_BYTES:
        raise LimitExceeded(
            f"the result ({rows:,} rows) is larger than {_RESOURCE_BYTES // MIB} MiB",
            hint="page through it with read_result, or aggregate it with sql: FROM result('<result_uri>')",
        )


def _csv_cell(cell: Json) -> object:
    return _compact(cell) if isinstance(cell, (list, dict, bool)) else cell


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
