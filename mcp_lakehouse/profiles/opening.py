"""The catalog that a lake is opened with: all of it, or what a profile shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_lakehouse.catalog.catalog import Catalog
from mcp_lakehouse.errors import NotAllowed
from mcp_lakehouse.limits import Limits
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.profiles.shown import ShownCatalog
from mcp_lakehouse.scratch import in_use
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.sql.wanted import WantedTable
from mcp_lakehouse.store.homes import Home, data_folders
from mcp_lakehouse.worker.channel import Message


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A catalog, the folders its SQL workers may read, and what is to be closed with it."""

    catalog: Catalog
    data: Sequence[Path]
    close: Callable[[], None]


def open_catalog(
    homes: Sequence[Home], profile: Profile | None, *, limits: Limits, cache: Path, scratch: Path, key: str
) -> Opened:
    """`cache`: the profile's own, or the lake's. `key`: that of hashes."""
    if profile is None:
        return Opened(Catalog(homes), data_folders(homes), _nothing)
    # The only one that reads what is not shown; it takes no statement from anybody.
    maker = Runner(
        _no_names,
        Results(scratch / "projections", limits.result),
        limits,
        scratch=scratch,
        data=data_folders(homes),
        projects=True,
    )
    folder = cache / "data"
    folder.mkdir(parents=True, exist_ok=True)
    catalog = ShownCatalog(homes, profile, folder=folder, key=key, make=maker.project)
    return Opened(catalog, [folder], maker.close)


def own_cache(cache: Path, profile: Profile | None, key: str) -> Path:
    """Where a lake keeps its local state that is opened so: a profile that shows something else begins anew.

    What was kept for a former definition of it is removed, unless somebody still serves that.
    """
    if profile is None:
        return cache
    own = cache / "profiles" / f"{profile.name}~{profile.identity(key)}"
    for former in {*own.parent.glob(f"{profile.name}~*"), own.parent / profile.name} - {own}:
        if not in_use(former / "scratch"):
            shutil.rmtree(former, ignore_errors=True)
    return own


def _no_names(_wanted: Sequence[WantedTable]) -> list[Message | None]:
    raise NotAllowed("what is shown of a dataset depends on its own columns only", hint="name no other dataset")


def _nothing() -> None:
    return
