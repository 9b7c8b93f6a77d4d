"""What this process and this machine hold of a lake's rows besides its bucket, and how it is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import astuple, dataclass
from pathlib import Path

from mcp_lakehouse.catalog.listing import folder_of
from mcp_lakehouse.catalog.statistics import Statistics
from mcp_lakehouse.index.indexes import Indexes
from mcp_lakehouse.index.local import forget_dataset
from mcp_lakehouse.scratch import remove_abandoned
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.store.copies import drop_copies


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was dropped; `left` are index files that another process is writing."""

    results: int = 0
    statistics: int = 0
    copies: int = 0
    indexed: int = 0
    left: int = 0

    def __add__(self, other: Cleared) -> Cleared:
        return Cleared(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Held:
    """What holds rows in this process; `forget_searches` drops what searches remember."""

    results: Results
    statistics: Statistics
    indexes: Indexes
    runner: Runner
    forget_searches: Callable[[], None]


class LocalState:
    """Results, statistics, copies of files, index files, and what workers remember.

    `cache`: the lake's, with those of its profiles in it, or that of the one profile it was opened as.
    """

    def __init__(self, held: Held, cache: Path) -> None:
        self._held = held
        self.cache = cache

    @property
    def runner(self) -> Runner:
        """What asks conditions."""
        return self._held.runner

    def clear(self, dataset: str, files: Iterable[str]) -> Cleared:
        """Drop all results (any may hold any rows), and of a dataset and its files everything else."""
        keys = list(files)
        self._held.runner.forget()
        self._held.indexes.forget(dataset)
        self._held.forget_searches()
        found = Cleared(results=self._held.results.clear())
        for root in (self.cache, *self.cache.glob("profiles/*")):
            found += _cleared(root, dataset, keys)
        return found

    def drop(self, files: Iterable[str]) -> int:
        """Drop copies of data files that are gone, and what profiles were shown of them; returns how many."""
        keys = list(files)
        return sum(_dropped(root, keys) for root in (self.cache, *self.cache.glob("profiles/*")))


def _cleared(root: Path, dataset: str, keys: Sequence[str]) -> Cleared:
    """One cache folder without results, and without what it holds of a dataset and of files."""
    remove_abandoned(root / "scratch")
    folder = folder_of(dataset)
    indexed, left = forget_dataset(root / "index" / folder)
    return Cleared(
        results=_unlinked(each for each in root.glob("results/*") if each.suffix in (".arrow", ".json")) // 2,
        statistics=_unlinked(root.glob(f"statistics/{folder}.v*.json")),
        copies=_dropped(root, keys),
        indexed=indexed,
        left=left,
    )


def _dropped(root: Path, keys: Sequence[str]) -> int:
    copies = sum(drop_copies(place, keys) for place in (*root.glob("objects*"), root / "data" / "whole"))
    return copies + _unlinked(_shown_of(root / "data", {Path(key).stem for key in keys}))


def _shown_of(folder: Path, stems: Set[str]) -> Iterator[Path]:
    """What profiles were shown of data files, and what was made of that."""
    for path in folder.rglob("*part-*") if stems else ():
        if not stems.isdisjoint(path.name.partition(".")[0].split("~")):
            yield path


def _unlinked(paths: Iterable[Path]) -> int:
    found = [path for path in list(paths) if path.is_file()]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)
