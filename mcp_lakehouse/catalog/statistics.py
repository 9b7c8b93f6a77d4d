"""Measured summaries of columns, by one statement over a version, kept while that version is current."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.catalog.listing import folder_of
from mcp_lakehouse.errors import LimitExceeded, StatementFailed, WorkerDied
from mcp_lakehouse.records import ColumnStatistics, Json
from mcp_lakehouse.sql.values import quote
from mcp_lakehouse.table import TableColumn

# Statements are generated for so many columns at a time: each has four aggregates.
_COLUMNS_AT_ONCE = 50
_SIMPLE_PREFIXES = ("STRUCT", "MAP", "UNION")
# Runs a statement and returns its first row.
FirstRow = Callable[[str], list[Json]]


class Statistics:
    """Per column: nulls, distinct (HyperLogLog estimate), min and max."""

    def __init__(self, folder: Path, first_row: FirstRow) -> None:
        self._folder = folder
        self._first_row = first_row
        self._lock = threading.Lock()

    def of(self, dataset: Dataset, max_columns: int) -> list[ColumnStatistics]:
        """The statistics of the first `max_columns` columns; plain columns where measuring takes too long."""
        columns = dataset.snapshot.columns[:max_columns]
        with self._lock:
            names = [column.name for column in columns]
            measured = self._read(dataset, names)
            if measured is None:
                measured = self._measure(dataset, [(column.name, column.type) for column in columns])
                self._write(dataset, names, measured)
        rows = dataset.snapshot.rows
        return [_statistics(column, rows, *values) for column, values in zip(columns, measured, strict=True)]

    def forget(self, name: str) -> int:
        """Drop what was measured of a dataset; returns how many files that were."""
        paths = list(self._folder.glob(f"{folder_of(name)}.v*.json"))
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _measure(self, dataset: Dataset, columns: list[tuple[str, str]]) -> list[list[Json]]:
        measured: list[list[Json]] = []
        for start in range(0, len(columns), _COLUMNS_AT_ONCE):
            part = columns[start : start + _COLUMNS_AT_ONCE]
            selected = ", ".join(_aggregates(name, type_) for name, type_ in part)
            try:
                row = self._first_row(
                    f"SELECT {selected} FROM {quote(dataset.name)} AT (VERSION => {dataset.snapshot.version})"
                )
            except (LimitExceeded, StatementFailed, WorkerDied):
                # A summary must not fail the description it belongs to.
                row = [None for _ in range(4 * len(part))]
            # Order of ColumnStatistics: distinct, min, max, nulls.
            measured.extend(row[index : index + 4] for index in range(0, len(row), 4))
        return measured

    def _path(self, dataset: Dataset, count: int) -> Path:
        return self._folder / f"{folder_of(dataset.name)}.v{dataset.snapshot.version}.{count}.json"

    def _read(self, dataset: Dataset, names: Sequence[str]) -> list[list[Json]] | None:
        try:
            stored = json.loads(self._path(dataset, len(names)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        there = stored.get("updated_at") == dataset.snapshot.updated_at.isoformat() and stored.get("names") == names
        return stored["columns"] if there else None

    def _write(self, dataset: Dataset, names: Sequence[str], measured: list[list[Json]]) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for old in self._folder.glob(f"{folder_of(dataset.name)}.v*.json"):
                old.unlink(missing_ok=True)
            stored = {"updated_at": dataset.snapshot.updated_at.isoformat(), "names": names, "columns": measured}
            self._path(dataset, len(measured)).write_text(json.dumps(stored), encoding="utf-8")
        except OSError:
            # Disposable: measured again next time.
            return


def _statistics(
    column: TableColumn, rows: int, distinct: Json, least: Json, greatest: Json, nulls: Json
) -> ColumnStatistics:
    return ColumnStatistics(
        name=column.name,
        type=column.type,
        nullable=column.nullable,
        # The estimate may err upwards.
        distinct=min(distinct, rows) if isinstance(distinct, int) else None,
        min=least,
        max=greatest,
        nulls=nulls if isinstance(nulls, int) else None,
        description=column.description,
    )


def _aggregates(name: str, type_: str) -> str:
    column = quote(name)
    nulls = f"count(*) - count({column})"
    if type_.startswith(_SIMPLE_PREFIXES) or type_.endswith("]"):
        return f"NULL, NULL, NULL, {nulls}"
    if type_ == "BLOB":
        return f"approx_count_distinct({column}), NULL, NULL, {nulls}"
    shown = f"left({{0}}({column}), {_TEXT_SHOWN})" if type_ == "VARCHAR" else f"{{0}}({column})"
    return f"approx_count_distinct({column}), {shown.format('min')}, {shown.format('max')}, {nulls}"


# Enough of a text to recognise it.
_TEXT_SHOWN = 60
