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
class Snapshot:
    """A table at one version. `files` are ordered by key: the order in which they were written."""

    version: int
    columns: tuple[TableColumn, ...]
    files: tuple[DataFile, ...]
    rows: int
    description: str | None
    properties: Mapping[str, str]
    updated_at: datetime


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
