"""What of a record fits a reply: a model pays for every column and row, whether it wanted them or not.

Pure functions. What is left out is said, with where the rest is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import TypeVar

from mcp_lakehouse.limits import KIB
from mcp_lakehouse.records import (
    ColumnStatistics,
    DatasetDescription,
    DatasetList,
    ErrorList,
    IngestReport,
    Json,
    QueryResult,
    TrialList,
    to_json,
)

T = TypeVar("T")

# About 2,000 tokens at 4 characters a token, of which half may be column names and types.
PLAIN_CHARS = 8_000
ROOMY_CHARS = 256 * KIB
_SAMPLE_CELL_CHARS = 200
_DESCRIPTION_CHARS = 200
_ERROR_CHARS = 4_000
_LISTED_ERROR_CHARS = 500


@singledispatch
def fitted(record: object, chars: int = PLAIN_CHARS) -> object:
    """The record, cut to about so many characters of JSON where it has parts that can be left out."""
    del chars
    return record


@fitted.register
def _(record: QueryResult, chars: int = PLAIN_CHARS) -> QueryResult:
    columns = _first(record.columns, chars // 2)
    rows = record.rows
    note = record.note
    if len(columns) < len(record.columns):
        rows = [row[: len(columns)] for row in rows]
        note = f"{len(columns)} of {len(record.columns):,} columns are shown; select the ones you need by name"
    shown = _first(rows, chars)
    cut = len(columns) < len(record.columns) or len(shown) < len(rows)
    return replace(record, columns=columns, rows=shown, truncated=record.truncated or cut, note=note)


@fitted.register
def _(record: DatasetList, chars: int = PLAIN_CHARS) -> DatasetList:
    short = [replace(each, description=_cut(each.description, _DESCRIPTION_CHARS)) for each in record.datasets]
    shown = _first(short, chars)
    following = record.next_cursor if len(shown) == len(short) else shown[-1].name
    return replace(record, datasets=shown, next_cursor=following)


@fitted.register
def _(record: DatasetDescription, chars: int = PLAIN_CHARS) -> DatasetDescription:
    columns = _first([_short_range(column) for column in record.columns], chars * 3 // 4)
    sample = [[_short(cell) for cell in row[: len(columns)]] for row in record.sample]
    cut = len(columns) < len(record.columns)
    return replace(record, columns=columns, sample=sample, truncated=record.truncated or cut)


@fitted.register
def _(record: IngestReport, chars: int = PLAIN_CHARS) -> IngestReport:
    inferred = _first(record.inferred, chars // 2)
    notes = _first(record.notes, chars // 2)
    if len(inferred) < len(record.inferred):
        notes = [
            *notes,
            f"{len(inferred)} of {len(record.inferred):,} columns are shown; system.columns has all",
        ]
    return replace(record, inferred=inferred, notes=notes)


@fitted.register
def _(record: ErrorList, chars: int = PLAIN_CHARS) -> ErrorList:
    short = [
        replace(
            each,
            message=_cut(each.message, _LISTED_ERROR_CHARS),
            hint=each.hint and _cut(each.hint, _LISTED_ERROR_CHARS),
        )
        for each in record.errors
    ]
    shown = _first(short, chars)
    return replace(record, errors=shown, truncated=record.truncated or len(shown) < len(short))


@fitted.register
def _(record: TrialList, chars: int = PLAIN_CHARS) -> TrialList:
    shown = _first(record.trials, chars)
    return replace(record, trials=shown, truncated=record.truncated or len(shown) < len(record.trials))


def error_text(text: str) -> str:
    """An error, cut where it quotes too much."""
    return _cut(text, _ERROR_CHARS)


def _first(items: Sequence[T], chars: int) -> list[T]:
    """The first items that fit; the very first one always."""
    kept: list[T] = []
    used = 0
    for item in items:
        # Bytes: scripts beyond Latin cost a model about a token for each character, not a quarter.
        used += len(_compact(to_json(item)).encode("utf-8", "replace")) + 1
        if kept and used > chars:
            break
        kept.append(item)
    return kept


def _short_range(column: ColumnStatistics) -> ColumnStatistics:
    return replace(column, min=_short(column.min), max=_short(column.max))


def _short(cell: Json) -> Json:
    if isinstance(cell, (list, dict)):
        text = _compact(cell)
        return cell if len(text) <= _SAMPLE_CELL_CHARS else _cut(text, _SAMPLE_CELL_CHARS)
    return _cut(cell, _SAMPLE_CELL_CHARS) if isinstance(cell, str) else cell


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[:chars]}… [{len(text) - chars:,} more characters]"


def _compact(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
