"""Appending records to the journal tables of schema `system`, and keeping those tables small."""

from __future__ import annotations

import contextlib
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcp_lakehouse.catalog.system import System, journal_columns
from mcp_lakehouse.errors import Conflict, LakehouseError
from mcp_lakehouse.limits import KIB, JournalLimits
from mcp_lakehouse.table import ABSENT, DataFile, StagedFile, Table

if TYPE_CHECKING:
    import pyarrow as pa

_ATTEMPTS = 10
# Every append is a file, and a statement opens them all; so many small ones become one.
MERGED_FILES = 100
_SMALL_BYTES = 256 * KIB
# Of those that are bounded, what tells which records are the newest.
_NEWEST_BY = {"errors": "time", "spans": "ended_at"}
# So many times the rows to keep may be there before the oldest go: not every record is to cost a rewrite.
_OVERFULL = 1.1

Record = Mapping[str, Any]


class Journals:
    """Writes the journals of one lake: many processes may, and in each any thread."""

    def __init__(self, system: System, limits: JournalLimits, *, scratch: Path) -> None:
        self._system = system
        self._kept_rows = {"errors": limits.error_rows, "spans": limits.span_rows}
        self._scratch = scratch
        self._lock = threading.Lock()

    def append(self, name: str, records: Sequence[Record], once: str = "") -> None:
        """Append records as one commit. Record keys are column names; missing ones are NULL.

        `once`: an application id under which they are appended if nothing was before.
        """
        table = self._system.journal(name)
        assert table is not None
        if not records:
            return
        with self._lock:
            self._scratch.mkdir(parents=True, exist_ok=True)
            content = _content(name, records)
            for attempt in range(_ATTEMPTS):
                if once and table.transaction_version(once) is not None:
                    return
                try:
                    self._commit(name, table, content, {once: 1} if once else {})
                    break
                except Conflict:
                    if attempt + 1 == _ATTEMPTS:
                        raise
                    time.sleep(random.uniform(0.01, 0.05 * 2 ** min(attempt, 4)))
            # The records are kept; what fails here is tried again after the next ones.
            with contextlib.suppress(LakehouseError, OSError):
                self._tidy(name, table)

    def _commit(self, name: str, table: Table, content: pa.Table, transactions: Mapping[str, int]) -> None:
        former = self._system.journal_read(name)
        at_version = None
        if former not in (table, None):
            # Its first commit takes in what was kept elsewhere before, so whoever reads needs only one of them.
            content, at_version = self._joined(former.snapshot().files, content), ABSENT
        with staged_records(content, self._scratch) as staged:
            table.create_or_append(
                journal_columns(name),
                [staged],
                info={"operation": "append"},
                transactions=transactions,
                at_version=at_version,
            )

    def _tidy(self, name: str, table: Table) -> None:
        """Make one file of many small ones; let the oldest records go where there are too many."""
        snapshot, kept_rows = table.snapshot(), self._kept_rows.get(name)
        full = kept_rows is not None and snapshot.rows > kept_rows * _OVERFULL
        files = [file for file in snapshot.files if full or file.bytes < _SMALL_BYTES]
        if len(files) < MERGED_FILES and not full:
            return
        content = self._joined(files)
        if full:
            content = content.sort_by([(_NEWEST_BY[name], "descending")])[:kept_rows]
        with staged_records(content, self._scratch) as staged:
            table.rewrite(
                [file.key for file in files],
                [staged],
                at_version=snapshot.version,
                info={"operation": "trim" if full else "compact"},
                data_change=full,
            )

    def _joined(self, files: Sequence[DataFile], *more: pa.Table) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet

        read = (pa.parquet.read_table(path) for path in self._system.home.copies.paths(files))
        return pa.concat_tables([*read, *more], promote_options="default")


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


def _content(name: str, records: Sequence[Record]) -> pa.Table:
    import pyarrow as pa

    columns = journal_columns(name)
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
