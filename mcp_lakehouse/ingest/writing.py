"""Query results written as staged Parquet files, each with the statistics the table log keeps."""

from __future__ import annotations

import math
import struct
import uuid
from pathlib import Path
from typing import TypeAlias

from mcp_lakehouse.ingest.engine import Job, literal
from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.worker.channel import Message

Columns: TypeAlias = list[tuple[str, str]]

# zstd at its fastest level: about a third smaller than the engine's default (snappy) at the same speed.
_OPTIONS = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, RETURN_STATS"
_GROUP_CELLS = 16_000_000
# The engine writes no smaller groups.
_VECTOR_ROWS = 2_048
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})


def write(job: Job, query: str, columns: Columns, *, split: bool = True) -> list[Message]:
    """Run a query and write its rows, in order, as files of about `job.file_bytes` (as one, without `split`).

    Returns `{"path", "bytes", "rows", "statistics": {column: {"min", "max", "nulls"}}}` for each
    file that holds rows. Bounds are given for integers, floats without NaN, and dates only.
    """
    whole = _write_one(job, query, columns)
    if whole is None:
        return []
    parts = round(whole["bytes"] / job.file_bytes) if split else 1
    return [whole] if parts < 2 else _split(job, whole, columns, parts)


def _write_one(job: Job, query: str, columns: Columns) -> Message | None:
    path = job.staging / f"part-{uuid.uuid4()}.parquet"
    options = f"{_OPTIONS}, ROW_GROUP_SIZE {_group_rows(job, columns)}"
    try:
        ((_, rows, size, _, statistics, *_),) = job.rows(f"COPY ({query}) TO {literal(str(path))} ({options})")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if not rows:
        path.unlink()
        return None
    return _entry(path, int(str(size)), int(str(rows)), statistics, columns)


def _split(job: Job, whole: Message, columns: Columns, parts: int) -> list[Message]:
    """Cut one file into several. The engine can do so while it writes, but then loses the order of rows."""
    group = _group_rows(job, columns)
    rows = max(1, math.ceil(whole["rows"] / group / parts)) * group
    names = ", ".join(quoted(name) for name, _ in columns)
    source = f"read_parquet({literal(whole['path'])}, file_row_number=true, hive_partitioning=false)"
    files = []
    for start in range(0, whole["rows"], rows):
        within = f"file_row_number >= {start} AND file_row_number < {start + rows}"
        part = _write_one(job, f"SELECT {names} FROM {source} WHERE {within}", columns)
        files += [part] if part is not None else []
    discard([whole])
    return files


def _group_rows(job: Job, columns: Columns) -> int:
    """Rows of a row group: fewer in wide tables, as each writing thread holds whole groups in memory."""
    return min(job.row_group_rows, max(_VECTOR_ROWS, _GROUP_CELLS // len(columns) // _VECTOR_ROWS * _VECTOR_ROWS))


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
