"""Appending records to the journal tables of schema `system`."""

from __future__ import annotations

import contextlib
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.errors import Conflict, LakehouseError
from mcp_lakehouse.limits import KIB
from mcp_lakehouse.table import DataFile, StagedFile, Table, TableColumn

if TYPE_CHECKING:
    import pyarrow as pa

_ATTEMPTS = 10
# Every append is a file, and a statement opens them all; so many small ones become one.
MERGED_FILES = 100
_SMALL_BYTES = 256 * KIB

# The paths of files on this machine, in their order.
Paths = Callable[[Sequence[DataFile]], Sequence[Path]]


def append(
    table: Table, columns: Sequence[TableColumn], records: Sequence[dict[str, Any]], *, scratch: Path, paths: Paths
) -> None:
    """Append records as one commit. Record keys are column names; missing ones are NULL."""
    if not records:
        return
    content = _content(columns, records)
    scratch.mkdir(parents=True, exist_ok=True)
    for attempt in range(_ATTEMPTS):
        try:
            with staged_records(content, scratch) as staged:
                table.create_or_append(list(columns), [staged], transactions={}, info={"operation": "append"})
            break
        except Conflict:
            if attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(random.uniform(0.01, 0.05 * 2 ** min(attempt, 4)))
    # The records are kept; what fails here is tried again after the next ones.
    with contextlib.suppress(LakehouseError, OSError):
        _merge_small(table, scratch, paths)


def _merge_small(table: Table, scratch: Path, paths: Paths) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    snapshot = table.snapshot()
    small = [file for file in snapshot.files if file.bytes < _SMALL_BYTES]
    if len(small) < MERGED_FILES:
        return
    content = pa.concat_tables([pa.parquet.read_table(path) for path in paths(small)], promote_options="default")
    with staged_records(content, scratch) as staged:
        table.rewrite(
            [file.key for file in small],
            [staged],
            at_version=snapshot.version,
            info={"operation": "compact"},
            data_change=False,
        )


@contextlib.contextmanager
def staged_records(content: pa.Table, scratch: Path) -> Iterator[StagedFile]:
    """Records as a file for a commit; gone afterwards."""
    import pyarrow.parquet

    scratch.mkdir(parents=True, exist_ok=True)
    path = scratch / f"journal-{secrets.token_hex(8)}.parquet"
    try:
        pyarrow.parquet.write_table(content, path, compression="zstd")
        yield StagedFile(path, path.stat().st_size, content.num_rows, {})
    finally:
        path.unlink(missing_ok=True)


def _content(columns: Sequence[TableColumn], records: Sequence[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    kinds = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", tz="UTC")}
    arrays = [
        pa.array(
            [_value(record.get(column.name), column.type) for record in records], kinds.get(column.type, pa.string())
        )
        for column in columns
    ]
    return pa.table(arrays, names=[column.name for column in columns])


def _value(value: object, type_: str) -> object:
    if isinstance(value, str):
        if type_ == "TIMESTAMP WITH TIME ZONE":
            return datetime.fromisoformat(value)
        # Half a surrogate pair has no bytes in a file; a row that can never be written would block the rest.
        return value.encode("utf-8", "replace").decode("utf-8")
    return value
