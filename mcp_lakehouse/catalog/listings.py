"""Errors, index builds and rejected rows: what the system datasets of these names hold, for a verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from mcp_lakehouse.errors import InvalidInput, NotFound
from mcp_lakehouse.limits import JournalLimits
from mcp_lakehouse.records import ErrorEntry, ErrorList, Json, QueryResult, Trial, TrialList
from mcp_lakehouse.sql.results import StoredResult

T = TypeVar("T")
# Runs a statement as the lake's own `sql` does, behind the same walls: text, values, rows to give.
Run = Callable[[str, list[Json], int], QueryResult]
_TOTAL = "total"


def errors(run: Run, limits: JournalLimits, limit: int, dataset: str | None, since: str | None) -> ErrorList:
    """The newest failures. Raises `InvalidInput` for a `limit` or a `since` (ISO 8601) that makes no sense."""
    if not 1 <= limit <= limits.listed:
        raise InvalidInput(
            f"limit is {limit}; it must be 1 to {limits.listed:,}", hint="FROM system.errors in sql has all of them"
        )
    conditions, values = _where(dataset)
    if since is not None:
        values.append(_moment(since))
        conditions.append(f"time >= ${len(values)}::TIMESTAMPTZ")
    found, total = _newest(run, "errors", "time DESC", ErrorEntry, conditions, values, limit)
    return ErrorList(found, total, len(found) < total)


def trials(run: Run, limits: JournalLimits, dataset: str | None) -> TrialList:
    """Every index build, whether it was published or not."""
    found, total = _newest(run, "trials", "time DESC, trial DESC", Trial, *_where(dataset), limits.listed)
    return TrialList(found, total, len(found) < total)


def rejects(load: str, run: Callable[[str, list[Json]], StoredResult]) -> StoredResult:
    """The rows that a load rejected. Raises `NotFound` where none are kept."""
    stored = run(
        "SELECT source, line, column_name, reason, text FROM system.rejects WHERE load = $1 ORDER BY source, line",
        [load],
    )
    if not stored.rows:
        raise NotFound(f"no rejected rows are kept under {load[:40]!r}", hint="see system.rejects")
    return stored


def _where(dataset: str | None) -> tuple[list[str], list[Json]]:
    return (["dataset = $1"], [dataset]) if dataset is not None else ([], [])


def _newest(
    run: Run, name: str, order: str, record: Callable[..., T], conditions: list[str], values: list[Json], limit: int
) -> tuple[list[T], int]:
    """The newest rows of a system dataset as records of its columns, and how many there are in all."""
    names = [field.name for field in fields(record)]  # type: ignore[arg-type]  # a dataclass, whatever its call gives
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = f"SELECT {', '.join(names)}, count(*) OVER () AS {_TOTAL} FROM system.{name} {where}"
    rows: list[list[Any]] = run(f"{statement} ORDER BY {order} LIMIT {limit}", values, limit).rows
    return [record(**dict(zip(names, row, strict=False))) for row in rows], rows[0][-1] if rows else 0


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"since is {text[:60]!r}", hint="give ISO 8601, such as 2026-01-31T12:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
