"""`sql`: one statement, and as many of its rows as were asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import counted, say
from mcp_lakehouse.commands.opening import Opening
from mcp_lakehouse.commands.running import interruptible
from mcp_lakehouse.records import Json, QueryResult

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse

Params = Sequence[Json] | Mapping[str, Json] | None


def sql(args: argparse.Namespace, opening: Opening) -> int:
    """Run a statement and print its rows."""
    statement = sys.stdin.read() if args.statement == "-" else args.statement
    params = args.params if args.params is not None else dict(args.param or ()) or None
    with opening() as lake:
        result = interruptible(lambda token: _rows(lake, statement, params, args.max_rows, token))
    if args.json:
        show.json_value(result)
        return 0
    show.table(result.columns, result.rows)
    kept, total = len(result.rows), result.row_count
    count = f"{kept:,} of {total:,} rows; --max-rows shows more" if kept < total else counted(total, "row")
    cut = "; long values are cut" if result.truncated and kept == total else ""
    say(f"({count}{cut}; {result.elapsed_ms:g} ms)")
    return 0


def _rows(
    lake: Lakehouse,
    statement: str,
    params: Sequence[Json] | Mapping[str, Json] | None,
    max_rows: int,
    token: CancelToken,
) -> QueryResult:
    """The first `max_rows` rows; beyond what one reply may carry they are read page by page."""
    page_rows = lake.settings.limits.result.rows
    result = lake.sql(statement, params, min(max_rows, page_rows), detailed=True, cancel=token)
    rows, page = list(result.rows), result
    wanted = min(max_rows, result.row_count)
    while len(rows) < wanted and page.rows and result.result_uri:
        page = lake.read_result(result.result_uri, len(rows), min(wanted - len(rows), page_rows), cancel=token)
        rows += page.rows
    truncated = page.truncated or len(rows) < result.row_count
    # The handle of a small result ends with this process; more rows come with --max-rows.
    return replace(result, rows=rows, truncated=truncated, result_uri=None)
