"""What a statement asks of its caller: tables by name, and values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mcp_lakehouse.records import Json
from mcp_lakehouse.sql.guard import TableName
from mcp_lakehouse.worker.channel import Message


@dataclass(frozen=True, slots=True)
class WantedTable:
    """A table a statement names. `local`: a CTE has that name too; `held`: the content the worker has."""

    table: TableName
    local: bool
    held: str | None


# Values for a statement: by position or by name.
Parameters = Sequence[Json] | Mapping[str, Json] | None
# For each wanted table what the worker is to hold under its name, or None where it is a CTE only.
# {"token", "version"?, "columns", "files"} or {"token", "columns", "rows"} or {"token", "result"}.
Resolve = Callable[[Sequence[WantedTable]], list[Message | None]]
