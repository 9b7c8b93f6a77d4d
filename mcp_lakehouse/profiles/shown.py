"""The catalog as a profile sees it. Every way to a dataset leads through `find`, `head`, `names` or `table`."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcp_lakehouse.catalog.catalog import Catalog, Dataset, table_in
from mcp_lakehouse.errors import NotAllowed, StorageFailed
from mcp_lakehouse.names import as_kept
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.profiles.projection import Make, Projection
from mcp_lakehouse.store.copies import LocalCopies
from mcp_lakehouse.store.homes import Home
from mcp_lakehouse.store.linked import LinkedCopies
from mcp_lakehouse.store.local import LocalBucket
from mcp_lakehouse.table import Table

OWN = "profile"


class ShownCatalog(Catalog):
    """The datasets a profile shows; those that are restricted as copies of what is shown of them.

    `folder` is the profile's own: its workers read nothing else. `key` is that of hashes.
    """

    def __init__(self, homes: Sequence[Home], profile: Profile, *, folder: Path, key: str, make: Make) -> None:
        within = [home for home in homes if profile.buckets is None or home.name in profile.buckets]
        super().__init__([replace(home, copies=LinkedCopies(home.copies, folder / "whole")) for home in within])
        self._sources = {home.name: home for home in within}
        self._hidden = [home for home in homes if home.name not in self._sources]
        self._profile = profile
        self._key = key
        self._make = make
        bucket = LocalBucket(folder)
        self._own = Home(OWN, bucket, LocalCopies(bucket, folder))
        self._projections: dict[str, tuple[Table, Projection]] = {}
        self._projecting = threading.Lock()

    def find(self, name: str) -> Dataset | None:
        """As `Catalog.find`, for what is shown."""
        name = as_kept(name)
        # Before any look: what is not shown takes as long as what is not there.
        if not self._profile.shows(name):
            return None
        if self._profile.restriction(name).whole:
            return super().find(name)
        home, table = self._placed(name)
        if not table.exists():
            self.forget(name)
            return None
        projection = self._projection(name, home, table)
        newest = projection.newest()
        return None if newest is None else Dataset(name, projection, newest, self._own)

    def head(self, name: str) -> int | None:
        """As `Catalog.head`, for what is shown."""
        return super().head(name) if self._profile.shows(name) else None

    def names(self) -> frozenset[str]:
        """As `Catalog.names`, for what is shown."""
        return frozenset(name for name in super().names() if self._profile.shows(name))

    @property
    def unreadable(self) -> list[str]:
        """As `Catalog.unreadable`, for what is shown."""
        return [name for name in super().unreadable if self._profile.shows(name)]

    def away(self) -> Mapping[Home, StorageFailed]:
        """None: which buckets there are is not shown."""
        return {}

    def known_home(self, name: str) -> str:
        """As `Catalog.known_home`; of a dataset that there is not, where it would be made."""
        return super().known_home(name) or self.homes[0].name

    def check_changeable(self, name: str) -> None:
        """Raise `NotAllowed` for what is not shown, or not whole, and for a name that is taken in another bucket."""
        shown = self._profile.shows(name) and self._profile.restriction(name).whole
        unknown = shown and super().known_home(name) is None
        elsewhere = unknown and any(table_in(home, name).exists() for home in self._hidden)
        if not shown or (elsewhere and not self._placed(name)[1].exists()):
            whole = [each for each in self._profile.datasets if self._profile.restriction(each).whole]
            raise NotAllowed(
                f"profile {self._profile.name!r} may not change or make a dataset {name!r}",
                hint=f"it may those named {', '.join(whole) or '(none)'}",
            )

    def _projection(self, name: str, home: Home, table: Table) -> Projection:
        with self._projecting:
            known = self._projections.get(name)
            if known is None or known[0] is not table:
                restriction = self._profile.restriction(name)
                source = self._sources[home.name]
                known = table, Projection(name, table, source, self._own, restriction, key=self._key, make=self._make)
                self._projections[name] = known
            return known[1]
