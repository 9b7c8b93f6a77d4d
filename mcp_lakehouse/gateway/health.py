"""Whether the lake behind a server answers, for whoever monitors it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcp_lakehouse.errors import StorageFailed

if TYPE_CHECKING:
    from mcp_lakehouse.lakehouse import Lakehouse


def readable_datasets(lake: Lakehouse) -> int:
    """How many datasets can be read. Raises `StorageFailed` where there are some, and none of them can.

    Raises too what would stop every other call, such as a damaged notice of what was forgotten.
    """
    lake.recorder.before()
    count = len(lake.catalog.all())
    if not count and (unreadable := lake.catalog.unreadable):
        raise StorageFailed(f"none of {len(unreadable)} datasets can be read", hint="mcp-lakehouse doctor says why")
    return count
