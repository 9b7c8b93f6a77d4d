"""The one authority on what datasets there are. Everything it says is read from the bucket's table logs.

A dataset is a table under `tables/`; its name, description, key, kind and fate live in its own log,
so a dataset is registered by the same atomic commit that creates it, and nothing has to be rebuilt
when local state is deleted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from mcp_lakehouse.catalog.absent import gone, unknown
from mcp_lakehouse.catalog.listing import TABLES, Listing, folder_of
from mcp_lakehouse.catalog.properties import DROPPED_AT, EPOCH, ERASED, KEY, KIND, TEXT, listed
from mcp_lakehouse.catalog.versions import Versions
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed, NotFound, StorageFailed, UnsupportedLake
from mcp_lakehouse.names import as_kept, is_name
from mcp_lakehouse.records import DatasetSummary, LineageEntry
from mcp_lakehouse.store.homes import PRIMARY, Home, home_named
from mcp_lakehouse.table import Commit, Snapshot, Table

# Names of other buckets that hold tables of the lake.
_USED = "system/buckets"
# Each look at a remote log is a round trip of its own.
_PARALLEL_LOOKS = 16
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset at one version."""

    name: str
    table: Versions
    snapshot: Snapshot
    home: Home

    @property
    def kind(self) -> str:
        """`table` or `documents`."""
        return self.snapshot.properties.get(KIND) or "table"

    @property
    def key(self) -> list[str]:
        """The key columns, empty where there is no key."""
        return listed(self.snapshot.properties.get(KEY))

    @property
    def text(self) -> list[str]:
        """The columns whose text is to be found by search."""
        return listed(self.snapshot.properties.get(TEXT))

    @property
    def writable(self) -> Table:
        """Its table. Raises `NotAllowed` where only a part of it is shown."""
        if not isinstance(self.table, Table):
            raise NotAllowed(
                f"only a part of {self.name!r} is shown to this profile, so it cannot change it",
                hint="a profile changes datasets that it is shown whole",
            )
        return self.table

    def older(self, version: int | None, at: datetime | None = None) -> Dataset:
        """It at another version. Raises `NotFound` with its name: the table knows itself by its folder."""
        try:
            return replace(self, snapshot=self.table.snapshot(version, at))
        except NotFound as error:
            why = self.table.retirement(version) if version is not None else None
            wanted = f"version {version}" if version is not None else f"version at {at}"
            told = f"{wanted} of dataset {self.name!r} {why}" if why else f"dataset {self.name!r} has no {wanted}"
            raise NotFound(told, hint=error.hint) from None

    def paths(self) -> list[Path]:
        """Its data files on this machine, in order; fetches what is not there yet."""
        return self.home.copies.paths(self.snapshot.files)

    @property
    def dropped(self) -> bool:
        """Whether it was dropped (and can be restored)."""
        return bool(self.snapshot.properties.get(DROPPED_AT))

    @property
    def epoch(self) -> int:
        """The version of the last replacement or restoration: the same bytes are loaded once in each epoch."""
        return int(self.snapshot.properties.get(EPOCH) or 0)

    def summary(self) -> DatasetSummary:
        """Its line in `list_datasets`."""
        return DatasetSummary(
            name=self.name,
            description=self.snapshot.description or "",
            kind=self.kind,
            rows=self.snapshot.rows,
            columns=len(self.snapshot.columns),
            version=self.snapshot.version,
            updated_at=timestamp(self.snapshot.updated_at),
            searchable=bool(self.text),
        )

    def lineage(self, limit: int) -> list[LineageEntry]:
        """The newest loads first, of those whose rows can be in this version."""
        entries: list[LineageEntry] = []
        newest = self.snapshot.version
        for commit in self.table.history(None):
            info = commit.info
            if commit.version > newest or len(entries) == limit:
                continue
            if info.get("operation") == "restore":
                newest = int(info.get("restored") or 0)
            elif info.get("source") and info.get("operation") != "delete":
                rows = int(info.get("rows_added") or 0) + int(info.get("rows_updated") or 0)
                entries.append(LineageEntry(info["source"], timestamp(commit.at), rows))
            if info.get("replaces"):
                break
        return entries


class Catalog:
    """Datasets of a lake's buckets, the first of which is its own.

    The others may be away: then their datasets are not there, `unreadable` names them, and all else goes on. A name
    that is in several buckets means the dataset of the first of them.
    """

    def __init__(self, homes: Sequence[Home]) -> None:
        self._primary = homes[0]
        self._listings = [
            Listing(home, may_be_away=home is not homes[0], used=partial(self._used, home.name)) for home in homes
        ]
        self._all_local = all(home.is_local for home in homes)
        self._lock = threading.Lock()
        self._tables: dict[str, tuple[Home, Table]] = {}
        self._unreadable: set[str] = set()
        self._noted: set[str] = set()

    @property
    def homes(self) -> list[Home]:
        """The buckets, the lake's own first."""
        return [listing.home for listing in self._listings]

    def table(self, name: str, bucket: str | None = None) -> Table:
        """The table behind a valid name, whether or not it exists yet; a new one is made in the `bucket` named.

        Raises `InvalidInput` for a bucket that is none, or is not where the dataset is; `StorageFailed` without a
        bucket for an unknown name while it may lie in one that has not answered yet; and as `check_changeable`.
        """
        self.check_changeable(name)
        home, table = self._placed(name)
        if len(self._listings) > 1 and not table.exists():
            self._check_new(name, home if bucket is None else home_named(self.homes, bucket), named=bucket is not None)
        if bucket in (None, home.name):
            return table
        wanted = home_named(self.homes, bucket)
        if table.exists():
            raise InvalidInput(
                f"dataset {name!r} is in bucket {home.name!r}, not in {bucket!r}",
                hint="leave bucket out, or give another dataset name",
            )
        table = table_in(wanted, name)
        with self._lock:
            self._tables[name] = wanted, table
        return table

    def check_changeable(self, name: str) -> None:
        """Raise `NotAllowed` where whoever opened this catalog may not change a dataset, or make it."""

    def _check_new(self, name: str, home: Home, *, named: bool) -> None:
        """Raise `StorageFailed` where a dataset cannot be made, or may be there already."""
        for listing in self._listings[1:]:
            listing.names()
            if listing.failure is not None and listing.home is home:
                raise copy(listing.failure)
        unseen = [listing for listing in self._listings if listing.failure is not None and not listing.seen]
        if unseen and not named:
            away = unseen[0]
            raise StorageFailed(
                f"bucket {away.home.name!r} has not answered yet, so it is not known whether {name!r} is in it",
                hint=f"try again when it answers, or say where a new dataset is to live: bucket={PRIMARY!r}",
            ) from away.failure

    def _placed(self, name: str) -> tuple[Home, Table]:
        with self._lock:
            found = self._tables.get(name)
        if found is None:
            home = self._home_of(name)
            with self._lock:
                found = self._tables.setdefault(name, (home, table_in(home, name)))
        return found

    def _home_of(self, name: str) -> Home:
        if len(self._listings) > 1:
            for listing in self._listings:
                if name in listing.names():
                    return listing.home
        return self._primary

    def known_home(self, name: str) -> str | None:
        """The bucket in which a dataset was when its bucket was last listed; asks none."""
        return next((each.home.name for each in self._listings if name in each.listed | each.made), None)

    def find(self, name: str) -> Dataset | None:
        """The dataset at its newest version, dropped ones too; `None` where there is none."""
        name = as_kept(name)
        # Anything else would be a path: "trips/" must not be another name for trips.
        if not is_name(name):
            return None
        home, table = self._placed(name)
        newest = table.newest()
        if newest is None:
            self.forget(name)
            return None
        return Dataset(name, table, newest, home)

    def get(self, name: str, *, version: int | None = None, at: datetime | None = None) -> Dataset:
        """A dataset that is there. Raises `NotFound` with the closest names."""
        found = self.find(name)
        if found is None or found.dropped:
            raise self.missing(name, dropped=found is not None)
        return found if version is None and at is None else found.older(version, at)

    def all(self) -> list[Dataset]:
        """Every dataset that is not dropped, by name."""
        return [dataset for dataset in self.with_dropped() if not dataset.dropped]

    def with_dropped(self) -> list[Dataset]:
        """Every dataset, dropped ones too, by name."""
        found = self._each(self._find_readable, sorted(self.names()))
        return [dataset for dataset in found if dataset is not None]

    def _each(self, look: Callable[[str], T], names: Sequence[str]) -> list[T]:
        if self._all_local or len(names) < 2:
            return [look(name) for name in names]
        with ThreadPoolExecutor(_PARALLEL_LOOKS) as pool:
            return list(pool.map(look, names))

    def _find_readable(self, name: str) -> Dataset | None:
        """As `find`; one table that cannot be read (`get` says why) does not hide the others."""
        try:
            found = self.find(name)
        except (UnsupportedLake, StorageFailed) as error:
            if isinstance(error, StorageFailed) and self._placed(name)[0] is self._primary:
                raise
            self._unreadable.add(name)
            return None
        self._unreadable.discard(name)
        return found

    @property
    def unreadable(self) -> list[str]:
        """The names of tables that could not be read when all were last looked at, and of buckets (`archive:*`)."""
        names = frozenset[str]().union(*(each.listed | each.made for each in self._listings))
        return sorted((self._unreadable & names) | {f"{home.name}:*" for home in self.away()})

    def away(self) -> Mapping[Home, StorageFailed]:
        """Buckets that could not be listed when they were last asked, and why."""
        return {each.home: each.failure for each in self._listings if each.failure is not None}

    def names(self) -> frozenset[str]:
        """The names of all tables, dropped ones too."""
        return frozenset[str]().union(*(listing.names() for listing in self._listings))

    def head(self, name: str) -> int | None:
        """The newest version of a table; `None` where there is none, or it cannot be read."""
        try:
            return self._placed(name)[1].head()
        except (UnsupportedLake, StorageFailed):
            return None

    def heads(self) -> Mapping[str, int | None]:
        """The newest version of each table, by name."""
        names = sorted(self.names())
        return dict(zip(names, self._each(self.head, names), strict=True))

    def added(self, name: str) -> None:
        """A dataset was made through this object: its caller finds it in the next listing, however old that is."""
        home, _ = self._placed(name)
        for listing in self._listings:
            if listing.home is home:
                listing.made |= {name}
        if home is not self._primary and home.name not in self._noted:
            # So that it is missed when it is away. Looked up once, for this comes after every load.
            with contextlib.suppress(LakehouseError):
                if not self._used(home.name):
                    self._primary.bucket.write(f"{_USED}/{home.name}", home.bucket.url.encode())
                self._noted.add(home.name)

    def asked(self, home: Home) -> None:
        """Ask a bucket for its tables. Raises what it fails with."""
        home.bucket.folders("")
        for listing in self._listings:
            if listing.home is home:
                listing.names()
                if listing.failure is not None:
                    raise copy(listing.failure)

    def _used(self, bucket: str) -> bool:
        return self._primary.bucket.exists(f"{_USED}/{bucket}")

    def missing(self, name: str, *, dropped: bool = False) -> NotFound:
        """The error for an unknown name, with what to do next."""
        if dropped:
            found = self.find(name)
            return gone(name, (found.snapshot.properties.get(ERASED) or "").partition(" ")[2] if found else "")
        return unknown(name, [dataset.name for dataset in self.all()], self.away())

    def forget(self, name: str) -> None:
        """Read a dataset's log anew on its next use: for when something else replaced its files."""
        with self._lock:
            self._tables.pop(name.lower(), None)

    def page(self, match: str | None, limit: int, cursor: str | None) -> tuple[list[Dataset], str | None]:
        """Datasets whose name or description holds `match`, after the one named by `cursor`."""
        if not 1 <= limit <= _PAGE_LIMIT:
            raise InvalidInput(f"limit is {limit}; it must be 1 to {_PAGE_LIMIT}", hint="page with cursor")
        wanted = (match or "").lower()
        found = [
            dataset
            for dataset in self.all()
            if dataset.name > (cursor or "")
            and (wanted in dataset.name or wanted in (dataset.snapshot.description or "").lower())
        ]
        return found[:limit], found[limit - 1].name if len(found) > limit else None


def table_in(home: Home, name: str) -> Table:
    """The table of that name in a bucket, whether or not there is one."""
    return Table(home.bucket, f"{TABLES}/{folder_of(name)}")


_PAGE_LIMIT = 1_000


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def changes(history: Sequence[Commit]) -> list[Mapping[str, str]]:
    """The commit information of the commits that changed data, newest first."""
    changing = ("append", "replace", "upsert", "delete", "restore")
    return [commit.info for commit in history if commit.info.get("operation") in changing]
