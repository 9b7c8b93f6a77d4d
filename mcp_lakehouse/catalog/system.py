"""Schema `system`: what the lake knows of itself, as datasets that `sql` reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from mcp_lakehouse.catalog.catalog import Catalog, Dataset, timestamp
from mcp_lakehouse.errors import NotFound
from mcp_lakehouse.records import Json
from mcp_lakehouse.store.homes import Home
from mcp_lakehouse.table import Table, TableColumn

_TEXT, _COUNT, _TIME = "VARCHAR", "BIGINT", "TIMESTAMP WITH TIME ZONE"
Columns = Sequence[tuple[str, str]]
Rows = list[list[Json]]

DATASETS: Columns = (
    ("name", _TEXT), ("description", _TEXT), ("kind", _TEXT), ("rows", _COUNT), ("columns", _COUNT),
    ("version", _COUNT), ("updated_at", _TIME), ("searchable", "BOOLEAN"), ("key", _TEXT), ("files", _COUNT),
    ("bytes", _COUNT),
)  # fmt: skip
COLUMNS: Columns = (
    ("dataset", _TEXT), ("name", _TEXT), ("position", _COUNT), ("type", _TEXT), ("nullable", "BOOLEAN"),
)  # fmt: skip
VERSIONS: Columns = (
    ("dataset", _TEXT), ("version", _COUNT), ("time", _TIME), ("operation", _TEXT), ("source", _TEXT),
    ("rows_added", _COUNT), ("rows_updated", _COUNT), ("rows_deleted", _COUNT), ("rows_rejected", _COUNT),
    ("who", _TEXT), ("trace_id", _TEXT),
)  # fmt: skip
OPERATIONS: Columns = (
    ("time", _TIME), ("who", _TEXT), ("operation", _TEXT), ("dataset", _TEXT), ("from_version", _COUNT),
    ("to_version", _COUNT), ("source", _TEXT), ("rows_added", _COUNT), ("rows_updated", _COUNT),
    ("rows_deleted", _COUNT), ("rows_rejected", _COUNT), ("trace_id", _TEXT),
)  # fmt: skip
ERRORS: Columns = (
    ("time", _TIME), ("code", _TEXT), ("operation", _TEXT), ("dataset", _TEXT), ("message", _TEXT), ("hint", _TEXT),
    ("who", _TEXT), ("trace_id", _TEXT),
)  # fmt: skip
SPANS: Columns = (
    ("trace_id", _TEXT), ("span_id", _TEXT), ("parent_id", _TEXT), ("name", _TEXT), ("kind", _TEXT),
    ("started_at", _TIME), ("ended_at", _TIME), ("duration_ms", "DOUBLE"), ("status", _TEXT), ("attributes", _TEXT),
)  # fmt: skip
REJECTS: Columns = (
    ("load", _TEXT), ("dataset", _TEXT), ("source", _TEXT), ("line", _COUNT), ("column_name", _TEXT), ("reason", _TEXT),
    ("text", _TEXT), ("time", _TIME),
)  # fmt: skip

GENERATIONS: Columns = (
    ("dataset", _TEXT), ("generation", _COUNT), ("serving", "BOOLEAN"), ("version", _COUNT), ("model", _TEXT),
    ("dimensions", _COUNT), ("columns", _TEXT), ("passages", _COUNT), ("recall_at_10", "DOUBLE"), ("time", _TIME),
    ("who", _TEXT),
)  # fmt: skip
TRIALS: Columns = (
    ("dataset", _TEXT), ("trial", _COUNT), ("published", "BOOLEAN"), ("model", _TEXT), ("passages", _COUNT),
    ("parameters", _TEXT), ("build_seconds", "DOUBLE"), ("recall_at_10", "DOUBLE"), ("p50_ms", "DOUBLE"),
    ("p99_ms", "DOUBLE"), ("index_bytes", _COUNT), ("note", _TEXT), ("time", _TIME), ("who", _TEXT),
    ("trace_id", _TEXT),
)  # fmt: skip

# Records that come in one by one are tables of their own; the others are read from the logs.
_OF_BUILDS = ("operations", "generations", "trials")
# What there is for a reader that sees a part of the lake: it tells of the datasets that are shown, and of nothing else.
SHOWN = frozenset({"datasets", "columns", "versions", "generations"})
JOURNALS = {"errors": ERRORS, "spans": SPANS, "rejects": REJECTS}
# Their folders in the bucket. Errors were kept at `system/errors` before they had a folder of their own.
JOURNAL_FOLDERS = {"errors": "_errors", "spans": "system/spans", "rejects": "system/rejects"}
_FORMER_FOLDERS = {"errors": "system/errors"}


@dataclass(frozen=True, slots=True)
class SystemRows:
    """A system dataset as rows; `token` changes when they do."""

    columns: Columns
    rows: Rows
    token: str


class Builds(Protocol):
    """What the index room knows of its builds, in the columns above (operations: those of `OPERATIONS`)."""

    def state(self, datasets: Sequence[Dataset]) -> Json:
        """Something that changes when any of the rows do."""

    def generations_of(self, datasets: Sequence[Dataset]) -> Rows:
        """Published builds."""

    def trials(self, datasets: Sequence[Dataset]) -> Rows:
        """Every build."""

    def operations(self, datasets: Sequence[Dataset]) -> Rows:
        """What changed which generation serves."""


class System:
    """Makes the rows of the system datasets from the catalog."""

    def __init__(self, catalog: Catalog, builds: Builds, home: Home, *, whole: bool) -> None:
        """`home`: where the journals live. Unless `whole`, only what `SHOWN` names can be read."""
        self._catalog = catalog
        self._builds = builds
        self.home = home
        self._whole = whole
        self._journals = {name: Table(home.bucket, folder) for name, folder in JOURNAL_FOLDERS.items()}
        self._former = {name: Table(home.bucket, folder) for name, folder in _FORMER_FOLDERS.items()}
        self._derived: dict[str, tuple[Columns, Callable[[list[Dataset]], Rows]]] = {
            "datasets": (DATASETS, _datasets),
            "columns": (COLUMNS, _columns),
            "versions": (VERSIONS, _versions),
            "operations": (OPERATIONS, self._operations),
            "generations": (GENERATIONS, builds.generations_of),
            "trials": (TRIALS, builds.trials),
        }

    def journal(self, name: str) -> Table | None:
        """The table of a system dataset that is written record by record, else `None`."""
        return self._journals.get(name)

    def journal_tables(self, name: str) -> list[Table]:
        """Every table that holds or held records of a journal."""
        tables = (self._journals.get(name), self._former.get(name))
        return [table for table in tables if table is not None and table.head() is not None]

    def may_read(self, name: str) -> bool:
        """Whether it is a journal that may be read."""
        return self._whole and name in self._journals

    def journal_read(self, name: str) -> Table | None:
        """The table that holds the records of a journal now; `None` where there are none, or no such journal."""
        return next(iter(self.journal_tables(name)), None)

    def rows(self, name: str) -> SystemRows:
        """A derived system dataset (or a journal nothing was written to yet)."""
        there = {*self._derived, *JOURNALS} if self._whole else SHOWN
        if name in there and name in JOURNALS:
            return SystemRows(JOURNALS[name], [], "empty")
        if name not in there:
            known = ", ".join(f"system.{each}" for each in sorted(there))
            raise NotFound(f"there is no dataset system.{name}", hint=f"there are: {known}")
        columns, make = self._derived[name]
        # History outlives a drop; the list of datasets does not show dropped ones.
        whole = name in ("versions", "operations")
        datasets = self._catalog.with_dropped() if whole else self._catalog.all()
        state = json.dumps(
            [
                [[dataset.name, dataset.snapshot.version] for dataset in datasets],
                self._builds.state(datasets) if name in _OF_BUILDS else None,
            ]
        )
        return SystemRows(columns, make(datasets), hashlib.sha256(state.encode()).hexdigest())

    def _operations(self, datasets: list[Dataset]) -> Rows:
        rows: Rows = self._builds.operations(datasets)
        for row in _versions(datasets):
            dataset, version, at, operation, source, *counts, who, trace_id = row
            before = version - 1 if isinstance(version, int) and version > 0 else None
            rows.append([at, who, operation, dataset, before, version, source, *counts, trace_id])
        return sorted(rows, key=lambda row: str(row[0]), reverse=True)


def journal_columns(name: str) -> list[TableColumn]:
    """The table columns of a journal."""
    return [TableColumn(column, type_, True, None) for column, type_ in JOURNALS[name]]


def _datasets(datasets: list[Dataset]) -> Rows:
    rows: Rows = []
    for dataset in datasets:
        summary, files = dataset.summary(), dataset.snapshot.stored
        rows.append(
            [
                summary.name, summary.description, summary.kind, summary.rows, summary.columns, summary.version,
                summary.updated_at, summary.searchable, ", ".join(dataset.key) or None, len(files),
                sum(file.bytes for file in files),
            ]
        )  # fmt: skip
    return rows


def _columns(datasets: list[Dataset]) -> Rows:
    return [
        [dataset.name, column.name, position, column.type, column.nullable]
        for dataset in datasets
        for position, column in enumerate(dataset.snapshot.columns, 1)
    ]


def _versions(datasets: list[Dataset]) -> Rows:
    rows: Rows = []
    for dataset in datasets:
        for commit in dataset.table.history(None):
            info = commit.info
            rows.append(
                [
                    dataset.name, commit.version, timestamp(commit.at), info.get("operation") or commit.operation,
                    info.get("source"), _count(info.get("rows_added")), _count(info.get("rows_updated")),
                    _count(info.get("rows_deleted")), _count(info.get("rows_rejected")), info.get("who"),
                    info.get("trace_id"),
                ]
            )  # fmt: skip
    return rows


def _count(value: str | None) -> int | None:
    return int(value) if value not in (None, "") else None
