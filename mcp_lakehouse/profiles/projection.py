"""A dataset's versions as a profile shows them: rows and columns that are shown, in files of the profile's own.

What is not shown is in none of these files, so that nothing that reads them can tell of it. A data file never
changes, so neither does what is shown of it: each is made once, when it is first needed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from mcp_lakehouse.catalog.properties import properties_of_columns
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed, StatementFailed, StatementRefused
from mcp_lakehouse.profile import Restriction
from mcp_lakehouse.records import Column, Json
from mcp_lakehouse.store.failures import local_failure
from mcp_lakehouse.store.homes import Home
from mcp_lakehouse.table import OVERLAY, Commit, DataFile, Retirement, Snapshot, Table, TableColumn, is_overlay

_VERSIONS_KEPT = 8
# What other processes are shown is marked as used at least so often, and removed when it was not for much longer.
_MARKED_SECONDS = 600.0
_UNUSED_SECONDS = 3_600.0


class Make(Protocol):
    """`Runner.project`."""

    def __call__(
        self,
        dataset: str,
        path: Path | None,
        columns: Sequence[TableColumn],
        shown: Mapping[str, Json],
        *,
        to: Path,
        overlay: tuple[Path, Sequence[str]] | None = None,
    ) -> tuple[int, list[Column]]:
        """Writes what is shown of one data file; its rows and columns."""


@dataclass(slots=True)
class _Kept:
    """A version as it is shown, and when its files were marked as used last."""

    snapshot: Snapshot
    marked: float


class Projection:
    """Reads as a `Table` does, and cannot be written."""

    def __init__(
        self, dataset: str, table: Table, source: Home, own: Home, restriction: Restriction, *, key: str, make: Make
    ) -> None:
        """`source`: where the table lives; `own`: a local home for what is shown of it; `key`: that of hashes."""
        self._dataset = dataset
        self._table = table
        self._source = source
        self._masked = {name.casefold() for name in restriction.masks}
        self._shows: dict[str, Json] = {
            "where": restriction.where,
            "only": None if restriction.columns is None else list(restriction.columns),
            "hidden": list(restriction.hidden),
            "masks": dict(restriction.masks),
            "key": key,
        }
        self._make = make
        self._prefix = f"shown/{dataset}/{restriction.identity(key)}"
        folder = own.bucket.local_path(self._prefix)
        assert folder is not None
        self._folder = folder
        self._lock = threading.Lock()
        self._versions: OrderedDict[tuple[int, datetime], _Kept] = OrderedDict()

    def exists(self) -> bool:
        """Whether there is a table."""
        return self._table.exists()

    def head(self) -> int | None:
        """The newest version, `None` where there is no table."""
        return self._table.head()

    def newest(self) -> Snapshot | None:
        """The newest version, `None` where there is no table."""
        found = self._table.newest()
        return None if found is None else self._shown(found)

    def snapshot(self, version: int | None = None, at: datetime | None = None) -> Snapshot:
        """A version, as `Table.snapshot` gives it."""
        return self._shown(self._table.snapshot(version, at))

    def retirement(self, version: int) -> Retirement | None:
        """What made a version unreadable, if anything did."""
        return self._table.retirement(version)

    def history(self, limit: int | None = None) -> list[Commit]:
        """The newest records first: what was done when, not from which source, by whom, or to how many rows."""
        return [
            replace(each, info=_told(each.info), rows_added=0, files_added=0, files_removed=0)
            for each in self._table.history(limit)
        ]

    def _shown(self, snapshot: Snapshot) -> Snapshot:
        at = snapshot.version, snapshot.updated_at
        with self._lock:
            kept = self._versions.get(at)
            if kept is None or not self._still_there(kept):
                kept = self._versions[at] = _Kept(self._projected(snapshot), time.monotonic())
                while len(self._versions) > _VERSIONS_KEPT:
                    self._versions.popitem(last=False)
                self._remove_unused()
            self._versions.move_to_end(at)
            return kept.snapshot

    def _still_there(self, kept: _Kept) -> bool:
        """Now and then: marks the files as used. Another process may have found that nobody needed them."""
        if time.monotonic() - kept.marked > _MARKED_SECONDS:
            try:
                for file in kept.snapshot.files:
                    os.utime(self._folder / Path(file.key).name)
            except FileNotFoundError:
                return False
            kept.marked = time.monotonic()
        return True

    def _remove_unused(self) -> None:
        """Each overlay makes another copy of what is shown; what none of the versions at hand shows goes in time."""
        needed = {Path(file.key).name for kept in self._versions.values() for file in kept.snapshot.files}
        before = time.time() - _UNUSED_SECONDS
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if path.name not in needed and path.stat().st_mtime < before:
                    path.unlink()

    def _projected(self, snapshot: Snapshot) -> Snapshot:
        try:
            _, columns = self._make(self._dataset, None, snapshot.columns, self._shows, to=self._folder)
            files = [self._file(file, snapshot) for file in snapshot.parts]
        except (InvalidInput, StatementFailed, StatementRefused) as error:
            # Whoever asks as the profile is given the error alone; list_profiles shows its cause.
            raise _unusable(self._dataset, snapshot.version, error) from error
        described = {column.name: column for column in snapshot.columns}
        shown = tuple(file for file in files if file is not None)
        names = [column.name for column in columns]
        return replace(
            snapshot,
            columns=tuple(replace(described[each.name], type=each.type, nullable=True) for each in columns),
            files=shown,
            rows=sum(file.rows for file in shown),
            # Its rows are in the last file, and those it shadows in none.
            overlay=None,
            properties=properties_of_columns(
                {name: value for name, value in snapshot.properties.items() if name != OVERLAY},
                names,
                whole=[name for name in names if name.casefold() not in self._masked],
            ),
        )

    def _file(self, file: DataFile, snapshot: Snapshot) -> DataFile | None:
        """What is shown of a file; of one with an overlay over it, in this version."""
        over = snapshot.overlay
        laid = is_overlay(file.key)
        reached = over is not None and not laid and file.key not in over.after
        stem = Path(file.key).stem + (f"~{Path(over.key).stem}" if over is not None and reached else "")
        # The number of rows is in the name, so that a file need not be opened to be counted.
        for path in self._folder.glob(f"{stem}.*.parquet"):
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
                return self._known(path)
        part = self._folder / f"{stem}.{secrets.token_hex(4)}.part"
        source = None if laid else self._source.copies.path(file)
        overlay = None
        if over is not None and (laid or reached):
            overlay = self._source.copies.path(over.file), over.content.by
        rows, _ = self._make(self._dataset, source, snapshot.columns, self._shows, to=part, overlay=overlay)
        place = self._folder / f"{stem}.{rows}.parquet"
        try:
            if rows:
                os.replace(part, place)
            else:
                self._folder.mkdir(parents=True, exist_ok=True)
                place.touch()
        except OSError as error:
            raise local_failure(error, "keep", place.name, str(self._folder)) from error
        return self._known(place)

    def _known(self, path: Path) -> DataFile | None:
        rows = int(path.name.split(".")[-2])
        return DataFile(f"{self._prefix}/{path.name}", path.stat().st_size, rows, {}) if rows else None


def _told(info: Mapping[str, str]) -> dict[str, str]:
    return {"operation": info["operation"]} if "operation" in info else {}


def _unusable(dataset: str, version: int, error: LakehouseError) -> NotAllowed:
    # Its text may name what is not to be seen.
    return NotAllowed(
        f"version {version} of {dataset!r} cannot be shown to this profile ({error.code})",
        hint="ask the administrator, who finds the cause with list_profiles(profile=…)",
    )
