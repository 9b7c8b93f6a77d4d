"""Upserts and compaction: stored and staged Parquet files written anew. Nothing is committed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.ingest.documents import storable
from mcp_lakehouse.ingest.engine import Job, literal, reading
from mcp_lakehouse.ingest.reader import select
from mcp_lakehouse.ingest.rejects import MAX_TEXT_CHARS
from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.ingest.writing import Columns, write
from mcp_lakehouse.worker.channel import Message

# A row's place among all incoming rows: its file's number, then its number in the file.
_PLACE = ", (CAST(file_index AS BIGINT) << 40) + file_row_number AS place"
# What a row of a document came from.
SOURCE = ["source"]
SOURCE_COLUMNS: Columns = [("source", "VARCHAR")]
_NAMED = 3


def rewrite(job: Job, request: Message) -> Message:
    """What an upsert of `incoming` files into `existing` ones on `key` makes of both.

    Of incoming rows with the same key the last wins; rows with a null in the key are rejected. Each
    existing file that holds a matched key is replaced by one without those rows (`file` is null where
    none are left). `updated` counts matched keys, `inserted` the others. Raises `InvalidInput` where rows of
    `documents` would go because they share a key: their text is nowhere else.
    """
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    key = _key(request["key"], columns)
    existing, incoming = _paths(request["existing"]), _paths(request["incoming"])
    if not incoming:
        return {
            "replaced": [],
            "incoming": [],
            "updated": 0,
            "inserted": 0,
            "rejected": 0,
            "rejects": None,
            "notes": [],
        }
    with reading("the upsert"):
        source = _source(job, incoming, columns, place=True)
        keys = ", ".join(quoted(name) for name in key)
        filled = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in key)
        job.rows(
            f"CREATE TEMP TABLE winners AS SELECT {keys}, max(place) AS place, count(*) AS rows "
            f"FROM ({source}) WHERE {filled} GROUP BY {keys}"
        )
        distinct, given = _numbers(job, "SELECT count(*), coalesce(sum(rows), 0) FROM winners")
        if given > distinct and request.get("documents"):
            raise InvalidInput(
                f"{given - distinct:,} rows of the documents repeat a key ({', '.join(key)}); their text would be lost",
                hint="leave key out: mode='upsert' replaces all rows of each source",
            )
        if given > distinct:
            job.note(f"{given - distinct:,} rows repeat a key of the same load; the last of each was kept")
        _reject_null_keys(job, source, filled, key)
        if job.rejects.count and not distinct:
            raise InvalidInput(
                f"every row of the source has no value in the key ({', '.join(key)})",
                hint="check that the source has that column and fills it, or give another key",
            )
        updated = _matched_keys(job, existing, columns, key) if existing else 0
        replaced = [
            {"path": path, "file": _without_matches(job, path, columns, key)}
            for path in (_touched(job, existing, columns, key) if updated else ())
        ]
        names = ", ".join(quoted(name) for name, _ in columns)
        kept = f"SELECT {names} FROM ({source}) SEMI JOIN winners USING (place)"
        with job.progress.during(job.connection, 0, 0, "writing the new rows"):
            written = write(job, kept, columns) if distinct else []
    return {
        "replaced": replaced,
        "incoming": written,
        "updated": updated,
        "inserted": distinct - updated,
        "rejected": job.rejects.count,
        "rejects": job.rejects.path,
        "notes": job.notes,
    }


def supersede(job: Job, request: Message) -> Message:
    """What is left of the `existing` files of documents without the rows of some `sources` (names).

    `replaced` as `rewrite` gives it. `updated` and `inserted` count the rows of the `incoming` files, which stay
    as they are, by whether they stand for an earlier row of their source; `gone` are earlier ones without any.
    `elsewhere`: for a source that had no rows, one of the same file name in another folder that has.
    """
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    existing, incoming = _paths(request["existing"]), _paths(request["incoming"])
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
        return {"sources": sorted(_rows_by_source(job, _paths(request["existing"]), SOURCE_COLUMNS))}


def merge(job: Job, request: Message) -> Message:
    """Compaction: all rows of the `existing` files, in order, in as few files as `file_bytes` allows."""
    columns: Columns = [(name, kind) for name, kind in request["columns"]]
    existing = _paths(request["existing"])
    if not existing:
        return {"files": []}
    with reading("the dataset's files"):
        query = _source(job, existing, columns)
        with job.progress.during(job.connection, 0, sum(_sizes(existing)), "merging files"):
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
            gone = f"SELECT row AS place FROM read_parquet({literal(rows)})"
            left = f"SELECT {names} FROM ({_source(job, [path], columns, place=True)}) ANTI JOIN ({gone}) USING (place)"
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
    rows = _source(job, paths, _only(columns, SOURCE))
    counted = job.rows(f"SELECT source, count(*) FROM ({rows}) SEMI JOIN winners USING (source) GROUP BY source")
    return {str(source): int(str(count)) for source, count in counted}


def _elsewhere(job: Job, existing: Sequence[str], columns: Columns) -> list[list[str]]:
    if not existing:
        return []
    rows = f"SELECT DISTINCT source FROM ({_source(job, existing, _only(columns, SOURCE))})"
    found = job.rows(
        f"SELECT w.source, min(r.source) FROM (FROM winners ANTI JOIN ({rows}) USING (source)) AS w JOIN ({rows}) AS r "
        "ON parse_filename(r.source, false, 'forward_slash') = parse_filename(w.source, false, 'forward_slash') "
        "AND (ends_with(r.source, '/' || w.source) OR ends_with(w.source, '/' || r.source)) "
        f"GROUP BY w.source ORDER BY w.source LIMIT {_NAMED}"
    )
    return [[str(name), str(other)] for name, other in found]


def _key(key: Sequence[str], columns: Columns) -> list[str]:
    spelled = {name.casefold(): name for name, _ in columns}
    missing = [name for name in key if name.casefold() not in spelled]
    if missing or not key:
        raise InvalidInput(
            f"the key names {', '.join(map(repr, missing))}, which is no column" if missing else "no key was given",
            hint=f"columns: {', '.join(name for name, _ in columns[:50])}",
        )
    return [spelled[name.casefold()] for name in key]


def _source(job: Job, paths: Sequence[str], columns: Columns, *, place: bool = False) -> str:
    """A SELECT of the columns from files that may lack some of them, or hold narrower types."""
    listed = ", ".join(literal(path) for path in paths)
    extra = ", file_row_number=true" if place else ""
    files = f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{extra})"
    there = [str(row[0]) for row in job.rows(f"DESCRIBE SELECT * FROM {files}")]
    return select(columns, {name.casefold(): quoted(name) for name in there}, files, also=_PLACE if place else "")


def _reject_null_keys(job: Job, source: str, filled: str, key: Sequence[str]) -> None:
    count = _numbers(job, f"SELECT count(*) FROM ({source}) WHERE NOT ({filled})")[0]
    if not count:
        return
    shown = job.rows(
        f"SELECT left(to_json(r)::VARCHAR, {MAX_TEXT_CHARS}) FROM "
        f"(SELECT * EXCLUDE (place) FROM ({source}) WHERE NOT ({filled}) ORDER BY place LIMIT {job.rejects.room}) AS r"
    )
    reason = f"the key ({', '.join(key)}) is null"
    job.rejects.add_many([("", None, key[0], reason, str(text)) for (text,) in shown], more=count - len(shown))


def _matched_keys(job: Job, existing: Sequence[str], columns: Columns, key: Sequence[str]) -> int:
    keys = ", ".join(quoted(name) for name in key)
    old = _source(job, existing, _only(columns, key))
    return _numbers(job, f"SELECT count(*) FROM winners SEMI JOIN ({old}) USING ({keys})")[0]


def _touched(job: Job, existing: Sequence[str], columns: Columns, key: Sequence[str]) -> list[str]:
    """The existing files that hold a matched key."""
    keys = ", ".join(quoted(name) for name in key)
    touched = []
    for path in existing:
        old = _source(job, [path], _only(columns, key))
        if job.rows(f"SELECT 1 FROM ({old}) SEMI JOIN winners USING ({keys}) LIMIT 1"):
            touched.append(path)
    return touched


def _without_matches(job: Job, path: str, columns: Columns, key: Sequence[str]) -> Message | None:
    keys = ", ".join(quoted(name) for name in key)
    names = ", ".join(quoted(name) for name, _ in columns)
    query = f"SELECT {names} FROM ({_source(job, [path], columns)}) ANTI JOIN winners USING ({keys})"
    # One file for one file, however large: the caller swaps them.
    written = write(job, query, columns, split=False)
    return written[0] if written else None


def _only(columns: Columns, names: Sequence[str]) -> Columns:
    kinds = dict(columns)
    return [(name, kinds[name]) for name in names]


def _numbers(job: Job, statement: str) -> tuple[int, ...]:
    return tuple(int(str(value)) for value in job.rows(statement)[0])


def _paths(given: Sequence[str | Message]) -> list[str]:
    return [each if isinstance(each, str) else each["path"] for each in given]


def _sizes(paths: Sequence[str]) -> list[int]:
    return [Path(path).stat().st_size for path in paths]
