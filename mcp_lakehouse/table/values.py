"""What a table is made of, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mcp_lakehouse.records import Json

# Per column: `min` and `max` (numbers, and dates as ISO text) and `nulls` (a count); each may be missing.
Statistics = Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column; `type` is the SQL type as DuckDB writes it, e.g. `STRUCT(a BIGINT, b VARCHAR[])`."""

    name: str
    type: str
    nullable: bool = True
    description: str | None = None


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A finished local Parquet file for a commit to take in.

    A commit that succeeds removes it; one that fails leaves it, to be tried again. Never write to it again.
    Leave `min` and `max` of a floating-point column out if it holds NaN: readers skip files by them.
    """

    path: Path
    bytes: int
    rows: int
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file of a version. `key` is relative to the bucket; the file never changes."""

    key: str
    bytes: int
    rows: int
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class OverlayRows:
    """What an overlay's file holds: first `upserted` rows, then `deleted` ones that say only that a key is gone.

    No two have the same values in the columns `by`, and none is NULL there. `shadowed` rows of the base have a key
    of the file, and are not part of the version.
    """

    by: tuple[str, ...]
    upserted: int
    deleted: int
    shadowed: int


@dataclass(frozen=True, slots=True)
class Overlay:
    """Newer rows and deletions of a version, in one file at `key` that never changes.

    `after`: keys of data files that were added later, whose rows are seen whatever their keys are.
    """

    key: str
    bytes: int
    content: OverlayRows
    statistics: Statistics
    after: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Rows of the file, deletions too."""
        return self.content.upserted + self.content.deleted

    @property
    def file(self) -> DataFile:
        """The file with the rows that are seen, which are its first ones."""
        return DataFile(self.key, self.bytes, self.content.upserted, self.statistics)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A table at one version. `files` are ordered by key: the order in which they were written.

    Where there is an `overlay`, the version's rows are those of the files whose key it does not hold, then its own.
    `rows` counts what a reader sees.
    """

    version: int
    columns: tuple[TableColumn, ...]
    files: tuple[DataFile, ...]
    rows: int
    description: str | None
    properties: Mapping[str, str]
    updated_at: datetime
    overlay: Overlay | None = None

    @property
    def parts(self) -> tuple[DataFile, ...]:
        """The files in the order in which rows are numbered: the overlay's last, where it has rows."""
        if self.overlay is None or not self.overlay.content.upserted:
            return self.files
        return (*self.files, self.overlay.file)

    @property
    def stored(self) -> tuple[DataFile, ...]:
        """Every file that the version needs."""
        return self.files if self.overlay is None else (*self.files, self.overlay.file)


@dataclass(frozen=True, slots=True)
class Commit:
    """One version's record. `operation` is the log's word for it, `info` what its writer said.

    `rows_added` counts the rows of the files added, so a rewrite counts those it only moved.
    """

    version: int
    at: datetime
    operation: str
    info: Mapping[str, str]
    rows_added: int
    files_added: int
    files_removed: int
