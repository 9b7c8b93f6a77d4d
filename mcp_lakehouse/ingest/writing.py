"""Query results written as staged Parquet files, each with the statistics the table log keeps."""

from __future__ import annotations

import math
import secrets
import shutil
import struct
from pathlib import Path
from typing import TypeAlias

from mcp_lakehouse.ingest.engine import Job, literal
from mcp_lakehouse.worker.channel import Message

Columns: TypeAlias = list[tuple[str, str]]

# zstd at its fastest level: about a third smaller than the engine's default (snappy) at the same speed.
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, RETURN_STATS"
_ANY_SIZE = 1 << 50
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})


def write(job: Job, query: str, columns: Columns, *, split: bool = True) -> list[Message]:
    """Run a query and write its rows, in order, as files of about `job.file_bytes` (as one, without `split`).

    Returns `{"path", "bytes", "rows", "statistics": {column: {"min", "max", "nulls"}}}` for each
    file that holds rows. Bounds are given for integers, floats without NaN, and dates only.
    """
    folder = job.staging / f"write-{secrets.token_hex(8)}"
    # Each worker thread rounds its files up to whole row groups, so the split is approximate.
    limit = job.file_bytes if split else _ANY_SIZE
    options = (
        f"{_OPTIONS}, ROW_GROUP_SIZE {job.row_group_rows}, FILE_SIZE_BYTES {limit}, FILENAME_PATTERN 'part-{{uuid}}'"
    )
    try:
        written = job.rows(f"COPY ({query}) TO {literal(str(folder))} ({options})")
        files = []
        for path, rows, size, _, statistics, *_ in written:
            source = Path(str(path))
            if rows:
                target = job.staging / source.name
                source.rename(target)
                files.append(_entry(target, int(str(size)), int(str(rows)), statistics, columns))
        return files
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def discard(files: list[Message]) -> None:
    """Remove files that were written for nothing."""
    for file in files:
        Path(file["path"]).unlink(missing_ok=True)


def _entry(path: Path, size: int, rows: int, found: object, columns: Columns) -> Message:
    statistics: Message = {}
    assert isinstance(found, dict)
    for name, kind in columns:
        measured = found.get('"' + name.replace('"', '""') + '"')
        if measured is None or "null_count" not in measured:
            continue
        entry: Message = {"nulls": int(measured["null_count"])}
        if "min" in measured and "max" in measured:
            entry |= _bounds(kind, measured)
        statistics[name] = entry
    return {"path": str(path), "bytes": size, "rows": rows, "statistics": statistics}


def _bounds(kind: str, measured: dict[str, str]) -> Message:
    low, high = measured["min"], measured["max"]
    if kind in _INTEGERS:
        return {"min": int(low), "max": int(high)}
    if kind == "DATE" and len(low) == len(high) == 10:
        return {"min": low, "max": high}
    if kind in ("FLOAT", "DOUBLE") and measured.get("has_nan") == "false":
        bounds = [float(low), float(high)]
        if kind == "FLOAT":
            # The text is the shortest that names the 32-bit value; a reader compares the value itself.
            bounds = [struct.unpack("f", struct.pack("f", value))[0] for value in bounds]
        if all(math.isfinite(value) for value in bounds):
            return {"min": bounds[0], "max": bounds[1]}
    return {}
