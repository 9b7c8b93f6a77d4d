"""Counting, by the engine, what kinds of values the columns of a delimited text hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mcp_lakehouse.ingest.csv_types import DATE_FORMATS, TIMESTAMP_FORMATS, kind_expression
from mcp_lakehouse.ingest.engine import Job, literal

_FORMATS = (*DATE_FORMATS, *TIMESTAMP_FORMATS)


@dataclass(slots=True)
class ColumnCensus:
    """Non-null values of one column by kind, with one example of each."""

    kinds: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)


def census(job: Job, source: str, columns: Sequence[str], limit: int | None) -> dict[str, ColumnCensus]:
    """Kinds of the values of these columns, in the first `limit` rows (all, if `None`). `source` yields texts."""
    found = {column: ColumnCensus() for column in columns}
    kinds = f"SELECT c, {kind_expression('v')} AS kind, count(*), min(v)"
    rows = job.rows(f"{kinds} FROM {_unpivoted(source, columns, limit)} GROUP BY ALL")
    for column, kind, count, example in rows:
        entry = found[str(column)]
        entry.kinds[str(kind)] = int(str(count))
        entry.examples[str(kind)] = str(example)
    return found


def date_formats(
    job: Job, source: str, columns: Sequence[str], limit: int | None
) -> dict[str, tuple[int, dict[str, int]]]:
    """For each column its number of values, and how many of them are not in each date notation."""
    misses = ", ".join(
        f"count_if(NOT (regexp_matches(v, '\\d{{4}}') AND try_strptime(v, {literal(each)}) IS NOT NULL))"
        for each in _FORMATS
    )
    rows = job.rows(f"SELECT c, count(*), {misses} FROM {_unpivoted(source, columns, limit)} GROUP BY c")
    return {
        str(column): (int(str(count)), dict(zip(_FORMATS, map(int, map(str, missed)), strict=True)))
        for column, count, *missed in rows
    }


def _unpivoted(source: str, columns: Sequence[str], limit: int | None) -> str:
    names = ", ".join(columns)
    cut = f" LIMIT {limit}" if limit is not None else ""
    return f"(SELECT {names} FROM {source}{cut}) UNPIVOT (v FOR c IN ({names}))"
