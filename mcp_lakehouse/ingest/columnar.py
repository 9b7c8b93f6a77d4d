"""Parquet and Arrow files as rows: their own types, stored as the lake stores them."""

from __future__ import annotations

from pathlib import Path

from mcp_lakehouse.ingest.engine import Job, literal, reading
from mcp_lakehouse.ingest.reader import select
from mcp_lakehouse.ingest.types import NANOSECONDS, quoted, stored
from mcp_lakehouse.ingest.writing import Columns
from mcp_lakehouse.names import check_column_count, column_names

# Files begin with it, streams do not.
_ARROW_MAGIC = b"ARROW1"
_FINE = "TIMESTAMP_NS"


class QueryReader:
    """Rows of something the engine can select from; names that repeat (in any case) are numbered."""

    def __init__(self, job: Job, name: str, size: int, source: str) -> None:
        self._job = job
        self.name = name
        self.bytes = size
        self._source = source
        described = job.connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        check_column_count(len(described), job.columns_limit, name)
        self._raw = [(row[0], row[1]) for row in described]
        names, self._notes = column_names([row[0] for row in described])
        self._columns = [(each, stored(kind)) for each, (_, kind) in zip(names, self._raw, strict=True)]

        for raw, kind in self._raw:
            if kind == _FINE and job.rows(f"SELECT 1 FROM {source} WHERE epoch_ns({quoted(raw)}) % 1000 <> 0 LIMIT 1"):
                self._notes.append(f"column {raw!r}: {NANOSECONDS}")

    @property
    def columns(self) -> Columns:
        """Names and stored types."""
        return self._columns

    def reads_as(self, name: str, wanted: str) -> bool:
        """Typed files are read as what they are."""
        del name, wanted
        return False

    def query(self, wanted: Columns) -> str:
        """A SELECT of the wanted columns."""
        have = {
            name.casefold(): _cut(quoted(raw)) if kind == _FINE else quoted(raw)
            for (name, _), (raw, kind) in zip(self._columns, self._raw, strict=True)
        }
        return select(wanted, have, self._source)

    def inspect(self, rows: int | None) -> int:
        """Nothing is rejected: such a file is read whole or not at all."""
        del rows
        return 0

    def expected(self) -> int | None:
        """Not told."""
        return None

    def finish(self) -> None:
        """Leave the notes."""
        for note in self._notes:
            self._job.note(f"{self.name}: {note}")


def _cut(column: str) -> str:
    """Nanoseconds as microseconds: cut, as those of texts are; a cast would round them."""
    part = f"epoch_ns({column})"
    return f"make_timestamp(({part} - (({part} % 1000) + 1000) % 1000) // 1000)"


def _wide_decimals(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    return [
        each.name
        for each in parquet.read_schema(path)
        if pa.types.is_decimal256(each.type) and each.type.precision > 38
    ]


def parquet_reader(job: Job, path: Path, name: str) -> QueryReader:
    """A Parquet file. Raises `UnreadableSource` if it is damaged."""
    with reading(name, path):
        reader = QueryReader(
            job, name, path.stat().st_size, f"read_parquet({literal(str(path))}, hive_partitioning=false)"
        )
    if "DOUBLE" in (kind for _, kind in reader.columns):
        wide = _wide_decimals(path)
        if wide:
            job.note(
                f"{name}: decimals of more than 38 digits were rounded to DOUBLE: {', '.join(map(repr, wide[:10]))}"
            )
    return reader


def arrow_reader(job: Job, path: Path, name: str, number: int) -> QueryReader:
    """An Arrow IPC file or stream (Feather too), read batch by batch. Raises `UnreadableSource` if it is damaged."""
    import pyarrow as pa
    import pyarrow.dataset as dataset

    view = f"arrow_{number}"
    with reading(name, path):
        with path.open("rb") as head:
            is_file = head.read(len(_ARROW_MAGIC)) == _ARROW_MAGIC
        if is_file:
            # A dataset can be read again for another round; a stream reader could not.
            job.connection.register(view, dataset.dataset(str(path), format="ipc"))
        else:
            with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as stream:
                job.connection.register(view, stream.read_all())
        return QueryReader(job, name, path.stat().st_size, view)
