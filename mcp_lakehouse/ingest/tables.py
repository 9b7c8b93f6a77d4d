"""Files of rows, of whatever formats, read together into one set of columns and staged as Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mcp_lakehouse.errors import InvalidInput, SchemaMismatch, UnreadableSource
from mcp_lakehouse.ingest.csv_columns import DRIFT
from mcp_lakehouse.ingest.csv_reader import CsvReader
from mcp_lakehouse.ingest.engine import Job, reading
from mcp_lakehouse.ingest.json_reader import JsonReader
from mcp_lakehouse.ingest.reader import Reader, Retry
from mcp_lakehouse.ingest.types import UNKNOWN, merge_columns, stored_final, widen
from mcp_lakehouse.ingest.writing import Columns, discard, write
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.names import check_column_count
from mcp_lakehouse.worker.channel import Message

_ROUNDS = 12
_BATCH_FILES = 64
_BATCH_BYTES = 256 * MIB
# The engine's word for line ends of several kinds in one file.
_MIXED_LINE_ENDS = "state machine reached an invalid state"


def load_tables(job: Job, opened: Mapping[int, Reader], existing: Columns | None) -> tuple[Columns, list[Message]]:
    """Stage all rows of all readers, in order; returns the columns of the dataset and the staged files.

    `existing` are the columns the rows must join. Of several files those that turn out to be unreadable are
    left out; where none is left, there are no columns. Raises `SchemaMismatch`, `UnreadableSource`.
    """
    together = True
    numbers = {id(reader): number for number, reader in opened.items()}
    readers = list(opened.values())
    for _ in range(_ROUNDS):
        if not readers:
            return [], []
        columns = agree(job, readers, existing)
        check_column_count(len(columns), job.columns_limit, "the dataset")
        files: list[Message] = []
        unreadable: dict[int, UnreadableSource] = {}
        try:
            for batch, start in _batches(readers, together=together):
                try:
                    files += _write_batch(job, batch, start, columns)
                except UnreadableSource as error:
                    if len(batch) > 1:
                        raise _Apart from None
                    if not job.several:
                        raise
                    unreadable[id(batch[0])] = error
        except Retry:
            discard(files)
            continue
        except _Apart:
            discard(files)
            together = False
            continue
        if unreadable:
            # Their columns had a say in what the others were written as.
            discard(files)
            for reader in readers:
                if id(reader) in unreadable:
                    job.leave_out(reader.name, unreadable[id(reader)], numbers[id(reader)])
            readers = [reader for reader in readers if id(reader) not in unreadable]
            continue
        for reader in readers:
            reader.finish()
        return columns, files
    raise UnreadableSource(
        "the source keeps reading differently each time", hint="it may be changing; load it when it is whole"
    )


def agree(job: Job, readers: Sequence[Reader], existing: Columns | None) -> Columns:
    """The columns that hold the rows of all readers, and of the dataset they join, without loss."""
    _check_related(readers, existing)
    found: dict[str, tuple[str, str]] = {}
    for reader in readers:
        for name, kind in reader.columns:
            known = found.get(name.casefold())
            found[name.casefold()] = (
                (name, kind) if known is None else (known[0], _unify(job, readers, known, kind, reader))
            )
    if existing is None:
        return [(name, stored_final(kind)) for name, kind in found.values()]
    old = {name.casefold(): kind for name, kind in existing}
    _tell_differences(job, [name for name, _ in found.values()], [name for name, _ in existing])
    fitted = [(name, _fit(readers, name, old.get(name.casefold()), kind)) for name, kind in found.values()]
    return [(name, stored_final(kind)) for name, kind in merge_columns(existing, fitted, job.exact)]


def _check_related(readers: Sequence[Reader], existing: Columns | None) -> None:
    """Files that share no column are no one table: most often a glob or a name that took in too much."""
    known = {name.casefold() for name, _ in existing or ()}
    for reader in readers:
        own = {name.casefold() for name, _ in reader.columns}
        if known and own and not known & own:
            other = "the dataset" if existing else "the files before it"
            shown = ", ".join(name for name, _ in reader.columns[:8])
            raise SchemaMismatch(
                f"{reader.name} shares no column with {other}; it has {shown}",
                hint="load files of different shape into different datasets",
            )
        known |= own


def _tell_differences(job: Job, new: Sequence[str], old: Sequence[str]) -> None:
    if job.names_rows:
        return
    folded_new, folded_old = ({name.casefold() for name in names} for names in (new, old))
    added = [name for name in new if name.casefold() not in folded_old]
    absent = [name for name in old if name.casefold() not in folded_new]
    if added:
        job.note(f"new columns, NULL in earlier rows: {_some(added)}")
    if absent:
        job.note(f"columns the source does not have, NULL in its rows: {_some(absent)}")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _fit(readers: Sequence[Reader], name: str, old: str | None, new: str) -> str:
    """The dataset's own type where every file can be read as it, else the files' type."""
    if old is None or old == new or new == UNKNOWN or widen(old, new) == old:
        return new
    return old if all(_delivers(reader, name, old) for reader in readers) else new


def _delivers(reader: Reader, name: str, wanted: str) -> bool:
    kinds = {each.casefold(): kind for each, kind in reader.columns}
    kind = kinds.get(name.casefold(), UNKNOWN)
    return widen(wanted, kind) == wanted or reader.reads_as(name, wanted)


def _unify(job: Job, readers: Sequence[Reader], known: tuple[str, str], kind: str, reader: Reader) -> str:
    name, before = known
    wide = widen(before, kind)
    if wide is not None:
        return wide
    for wanted in (before, kind, "VARCHAR"):
        if all(_delivers(each, name, wanted) for each in readers):
            if wanted == "VARCHAR":
                job.note(f"column {name!r} is {before} in some files and {kind} in {reader.name}; it is kept as text")
            return wanted
    raise SchemaMismatch(
        f"column {name!r} is {before} in the first files and {kind} in {reader.name}",
        hint="load files of different shape into different datasets",
    )


class _Apart(Exception):
    """The files must be written one by one, so that each can be accounted for."""


def _batches(readers: Sequence[Reader], *, together: bool) -> Iterator[tuple[list[Reader], int]]:
    """Readers whose rows are written by one statement, with the bytes of the sources before them."""
    batch: list[Reader] = []
    start = size = 0
    for reader in readers:
        if batch and (not together or len(batch) == _BATCH_FILES or size + reader.bytes > _BATCH_BYTES):
            yield batch, start
            start, size, batch = start + size, 0, []
        batch.append(reader)
        size += reader.bytes
    if batch:
        yield batch, start


def _write_batch(job: Job, batch: list[Reader], start: int, columns: Columns) -> list[Message]:
    query = "\nUNION ALL\n".join(reader.query(columns) for reader in batch)
    size = sum(reader.bytes for reader in batch)
    name = batch[0].name if len(batch) == 1 else f"{batch[0].name} and {len(batch) - 1} more"
    try:
        with reading(name), job.progress.during(job.connection, start, size, f"reading {name}"):
            files = write(job, query, columns)
    except UnreadableSource as error:
        _learn(batch, error)
        raise
    rows = sum(file["rows"] for file in files)
    try:
        rejected = [reader.inspect(rows if len(batch) == 1 else None) for reader in batch]
        if len(batch) > 1:
            _account(batch, rows, rejected)
    except BaseException:
        discard(files)
        raise
    job.progress.at(start + size, f"read {name}")
    return files


def _learn(batch: list[Reader], error: UnreadableSource) -> None:
    """Turn an engine error that can be mended into another round."""
    delimited = [reader for reader in batch if isinstance(reader, CsvReader)]
    for reader in delimited:
        if reader.mend():
            raise Retry
    if DRIFT in error.message and delimited:
        for reader in delimited:
            reader.count_everything()
        raise Retry
    if _MIXED_LINE_ENDS in error.message and len(batch) == 1 and delimited and delimited[0].normalise():
        raise Retry
    if len(batch) > 1:
        # One by one, the error names its file.
        raise _Apart
    if isinstance(batch[0], JsonReader):
        batch[0].set_aside(error)
        raise Retry


def _account(batch: list[Reader], rows: int, rejected: list[int]) -> None:
    for exactly in (False, True):
        counts = []
        for reader in batch:
            if exactly and isinstance(reader, CsvReader):
                reader.count_by_quotes()
            counts.append(reader.expected())
        if None in counts or sum(count or 0 for count in counts) == rows + sum(rejected):
            return
    raise _Apart


def no_rows(readers: Sequence[Reader], rejected: int) -> None:
    """Raise where a load brought nothing but rejects: then something is wrong with all of it."""
    if rejected:
        names = ", ".join(reader.name for reader in readers[:3])
        raise InvalidInput(
            f"all {rejected:,} rows of {names} were rejected", hint="check the delimiter and the quotes of the file"
        )
