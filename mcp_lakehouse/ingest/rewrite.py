"""Documents in the place of earlier ones, and compaction: stored files written anew. Nothing is committed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.ingest.documents import storable
from mcp_lakehouse.ingest.engine import Job, literal, reading
from mcp_lakehouse.ingest.stored import PLACE, Stored, only, paths, source
from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.ingest.writing import Columns, write
from mcp_lakehouse.table import DELETED
from mcp_lakehouse.worker.channel import Message

# What a row of a document came from.
SOURCE = ["source"]
SOURCE_COLUMNS: Columns = [("source", "VARCHAR")]
_NAMED = 3


def supersede(job: Job, request: Message) -> Message:
    """What is left of the `existing` files of documents without the rows of some `sources` (names).

    `replaced` as `keyed.rewrite` gives it. `updated` and `inserted` count the rows of the `incoming` files, which stay
    as they are, by whether they stand for an earlier row of their source; `gone` are earlier ones without any.
    `elsewhere`: for a source that had no rows, one of the same file name in another folder that has.
    """
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    existing, incoming = paths(request["existing"]), paths(request["incoming"])
    with reading("the upsert"):
        _take_sources(job, request["sources"])
        before = _rows_by_source(job, existing, columns)
        after = _rows_by_source(job, incoming, columns)
        touched = _touched(job, existing, columns, SOURCE) if before else []
        replaced = [{"path": path, "file": _without_matches(job, path, columns, SOURCE)} for path in touched]
        elsewhere = _elsewhere(job, existing, columns)
    updated = sum(min(rows, after.get(source, 0)) for source, rows in before.items())
    return {
        "replaced": replaced,
        "updated": updated,
        "inserted": sum(after.values()) - updated,
        "gone": sum(before.values()) - updated,
        "elsewhere": elsewhere,
    }


def present_sources(job: Job, request: Message) -> Message:
    """Which of some `sources` (names) have rows in `existing` files of documents, in the order of their names."""
    with reading("the dataset's files"):
        _take_sources(job, request["sources"])
        return {"sources": sorted(_rows_by_source(job, paths(request["existing"]), SOURCE_COLUMNS))}


def merge(job: Job, request: Message) -> Message:
    """Compaction: all rows of the `existing` files, in order, then of the overlay, in as few files as fit."""
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    stored = Stored.of(request)
    if not stored.paths:
        return {"files": []}
    with reading("the dataset's files"):
        query = stored.base(job, columns)
        if stored.overlay is not None:
            names = ", ".join(quoted(name) for name, _ in columns)
            query += f" UNION ALL SELECT {names} FROM ({stored.laid(job, columns)}) WHERE NOT {quoted(DELETED)}"
        with job.progress.during(job.connection, 0, sum(_sizes(stored.paths)), "merging files"):
            return {"files": write(job, query, columns)}


def without_rows(job: Job, request: Message) -> Message:
    """Each of the `existing` files without some of its rows: `rows` names for each a Parquet file of their numbers.

    `files` are in the same order, null where no row is left.
    """
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    names = ", ".join(quoted(name) for name, _ in columns)
    files = []
    with reading("the dataset's files"):
        for path, rows in zip(request["existing"], request["rows"], strict=True):
            gone = f"SELECT row AS {quoted(PLACE)} FROM read_parquet({literal(rows)})"
            there = source(job, [path], columns, place=True)
            left = f"SELECT {names} FROM ({there}) ANTI JOIN ({gone}) USING ({quoted(PLACE)})"
            written = write(job, left, columns, split=False)
            files.append(written[0] if written else None)
    return {"files": files}


def _take_sources(job: Job, names: Sequence[str]) -> None:
    """Make the table `winners` of the names, in the form in which rows have them."""
    listed = ", ".join(literal(storable(name)) for name in names)
    job.rows(f"CREATE TEMP TABLE winners AS SELECT DISTINCT unnest([{listed}]::VARCHAR[]) AS source")


def _rows_by_source(job: Job, paths: Sequence[str], columns: Columns) -> dict[str, int]:
    """How many rows of the files each of the sources in `winners` has, where it has any."""
    if not paths:
        return {}
    rows = source(job, paths, only(columns, SOURCE))
    counted = job.rows(f"SELECT source, count(*) FROM ({rows}) SEMI JOIN winners USING (source) GROUP BY source")
    return {str(source): int(str(count)) for source, count in counted}


def _elsewhere(job: Job, existing: Sequence[str], columns: Columns) -> list[list[str]]:
    if not existing:
        return []
    rows = f"SELECT DISTINCT source FROM ({source(job, existing, only(columns, SOURCE))})"
    found = job.rows(
        f"SELECT w.source, min(r.source) FROM (FROM winners ANTI JOIN ({rows}) USING (source)) AS w JOIN ({rows}) AS r "
        "ON parse_filename(r.source, false, 'forward_slash') = parse_filename(w.source, false, 'forward_slash') "
        "AND (ends_with(r.source, '/' || w.source) OR ends_with(w.source, '/' || r.source)) "
        f"GROUP BY w.source ORDER BY w.source LIMIT {_NAMED}"
    )
    return [[str(name), str(other)] for name, other in found]


def _touched(job: Job, existing: Sequence[str], columns: Columns, key: Sequence[str]) -> list[str]:
    """The existing files that hold a matched key."""
    keys = ", ".join(quoted(name) for name in key)
    touched = []
    for path in existing:
        old = source(job, [path], only(columns, key))
        if job.rows(f"SELECT 1 FROM ({old}) SEMI JOIN winners USING ({keys}) LIMIT 1"):
            touched.append(path)
    return touched


def _without_matches(job: Job, path: str, columns: Columns, key: Sequence[str]) -> Message | None:
    keys = ", ".join(quoted(name) for name in key)
    names = ", ".join(quoted(name) for name, _ in columns)
    query = f"SELECT {names} FROM ({source(job, [path], columns)}) ANTI JOIN winners USING ({keys})"
    # One file for one file, however large: the caller swaps them.
    written = write(job, query, columns, split=False)
    return written[0] if written else None


def _sizes(paths: Sequence[str]) -> list[int]:
    return [Path(path).stat().st_size for path in paths]
