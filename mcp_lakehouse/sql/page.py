"""What leaves the engine: a bounded page of rows as JSON, and the whole result as an Arrow file."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.errors import LimitExceeded
from mcp_lakehouse.limits import KIB
from mcp_lakehouse.records import Json
from mcp_lakehouse.sql.values import json_rows
from mcp_lakehouse.worker.channel import Message

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

# Making a file takes longer than a small statement does; its whole result goes with the answer.
SMALL_BYTES = 64 * KIB
_LEAST_CELL_CHARS = 16


class Page:
    """Collects the first rows of a stream and renders them within `max_rows`, `max_chars`, `cell_chars`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, types: Sequence[DuckDBPyType], request: Message) -> None:
        self._connection = connection
        self._types = types
        self._max_rows: int = request["max_rows"]
        self._max_chars: int = request["max_chars_out"]
        # However many columns there are, one row must fit.
        fair_share = self._max_chars // max(1, len(types))
        self._cell_chars: int = min(request["cell_chars"], max(_LEAST_CELL_CHARS, fair_share))
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Keep what of this batch still fits the page."""
        room = self._max_rows - self._rows
        if room > 0:
            self._batches.append(batch.slice(0, room))
            self._rows += min(room, batch.num_rows)

    def finish(self, total: int) -> Message:
        """`rows`, and `truncated` when rows or parts of cells are left out; `total` is what there was."""
        import pyarrow as pa

        if not self._batches:
            return {"rows": [], "truncated": total > 0}
        rows = json_rows(self._connection, pa.Table.from_batches(self._batches), self._types)
        kept: list[list[Json]] = []
        used, cut = 0, False
        for row in rows:
            cells = [_fit(cell, self._cell_chars) for cell in row]
            cut_here = cells != row
            # Bytes: scripts beyond Latin cost a model about a token for each character, not a quarter.
            size = len(json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")) + 1
            # The first row is always there, however wide: an empty page would help nobody.
            if kept and used + size > self._max_chars:
                break
            kept.append(cells)
            used += size
            cut = cut or cut_here
        return {"rows": kept, "truncated": cut or len(kept) < total}


def _fit(cell: Json, chars: int) -> Json:
    if isinstance(cell, str):
        return cell if len(cell) <= chars else f"{cell[:chars]}… [{len(cell) - chars:,} more characters]"
    if isinstance(cell, (list, dict)):
        text = json.dumps(cell, ensure_ascii=False, separators=(",", ":"))
        if len(text) > chars:
            return f"{text[:chars]}… [{len(text) - chars:,} more characters]"
    return cell


class Store:
    """Keeps a whole stream as Arrow IPC: small ones in memory, larger ones in a file, up to a size."""

    def __init__(self, path: Path, names: Sequence[str], max_bytes: int) -> None:
        self.path = path
        self.rows = 0
        self.batches: list[int] = []
        self._names = distinct(names)
        self._max_bytes = max_bytes
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._sink: pa.NativeFile | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Append one batch; raises `LimitExceeded` above the size limit."""
        self.rows += batch.num_rows
        self.batches.append(batch.num_rows)
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        if self._waiting_bytes > SMALL_BYTES:
            self._write_waiting(batch.schema)
            self._waiting_bytes = SMALL_BYTES
        if self._sink is not None and self._sink.tell() > self._max_bytes:
            raise LimitExceeded(
                f"the result grew beyond {self._max_bytes / 1e9:.2f} GB (after {self.rows:,} rows)",
                hint="aggregate or filter in the statement; count(*) tells the size first",
            )

    def close(self, schema: pa.Schema) -> Message:
        """Finish: `{"file": path}`, or `{"data": base64}` where all of it was small."""
        import pyarrow as pa

        if self._writer is not None and self._sink is not None:
            self._write_waiting(schema)
            self._writer.close()
            self._sink.close()
            return {"file": str(self.path)}
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_file(buffer, self._named(schema)) as writer:
            for batch in self._waiting:
                writer.write_batch(self._renamed(batch))
        return {"data": base64.b64encode(buffer.getvalue()).decode()}

    def discard(self) -> None:
        """Remove what was written."""
        if self._sink is not None:
            self._sink.close()
        self.path.unlink(missing_ok=True)

    def _write_waiting(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        if self._writer is None:
            self._sink = pa.OSFile(str(self.path), "wb")
            options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
            self._writer = pa.ipc.new_file(self._sink, self._named(schema), options=options)
        for batch in self._waiting:
            self._writer.write_batch(self._renamed(batch))
        self._waiting.clear()

    def _renamed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch if batch.schema.names == self._names else batch.rename_columns(self._names)

    def _named(self, schema: pa.Schema) -> pa.Schema:
        import pyarrow as pa

        if schema.names == self._names:
            return schema
        return pa.schema([field.with_name(name) for field, name in zip(schema, self._names, strict=True)])


@contextlib.contextmanager
def opened(stored: Message) -> Iterator[pa.ipc.RecordBatchFileReader]:
    """A stored result as `Store.close` returned it."""
    import pyarrow as pa

    if "data" in stored:
        yield pa.ipc.open_file(pa.py_buffer(base64.b64decode(stored["data"])))
        return
    with pa.memory_map(stored["file"]) as source:
        yield pa.ipc.open_file(source)


def read_range(stored: Message, batches: Sequence[int], offset: int, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows [offset, offset + rows) of a stored result; only the batches that hold them are decoded."""
    with opened(stored) as reader:
        first = 0
        for index, count in enumerate(batches):
            start, stop = max(offset, first), min(offset + rows, first + count)
            if start < stop:
                yield reader.get_batch(index).slice(start - first, stop - start)
            first += count


def distinct(names: Sequence[str]) -> list[str]:
    """Column names made unique without regard to case: `a, A, a` becomes `a, A_1, a_2`."""
    seen: set[str] = set()
    result = []
    for name in names:
        candidate, number = name, 0
        while candidate.lower() in seen:
            number += 1
            candidate = f"{name}_{number}"
        seen.add(candidate.lower())
        result.append(candidate)
    return result
