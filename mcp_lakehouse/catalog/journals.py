"""Appending records to the journal tables of schema `system`."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.table import StagedFile, Table, TableColumn

_ATTEMPTS = 10


def append(table: Table, columns: Sequence[TableColumn], records: Sequence[dict[str, Any]], scratch: Path) -> None:
    """Append records as one commit. Record keys are column names; missing ones are NULL."""
    import pyarrow as pa
    import pyarrow.parquet

    if not records:
        return
    kinds = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC")}
    arrays = [
        pa.array(
            [_value(record.get(column.name), column.type) for record in records], kinds.get(column.type, pa.string())
        )
        for column in columns
    ]
    content = pa.table(arrays, names=[column.name for column in columns])
    scratch.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        path = scratch / f"journal-{secrets.token_hex(8)}.parquet"
        try:
            pa.parquet.write_table(content, path, compression="zstd")
            staged = StagedFile(path, path.stat().st_size, content.num_rows, {})
            table.create_or_append(list(columns), [staged], transactions={}, info={"operation": "append"})
            return
        except Conflict:
            if attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0.01, 0.05 * 2 ** min(attempt, 4)))
        finally:
            path.unlink(missing_ok=True)


def _value(value: object, type_: str) -> object:
    if isinstance(value, str):
        if type_ == "TIMESTAMP WITH TIME ZONE":
            return datetime.fromisoformat(value)
        # Half a surrogate pair has no bytes in a file; a row that can never be written would block the rest.
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
