"""Forgetting rows: out of the newest version by a commit that also retires the versions that held them, then out of
every place that may hold them still.

The commit comes first; what follows is found from the log alone, so it is finished by doing it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from mcp_lakehouse.catalog.catalog import Catalog, Dataset
from mcp_lakehouse.catalog.listing import TABLES, folder_of
from mcp_lakehouse.errors import Conflict, InvalidInput
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.limits import Limits
from mcp_lakehouse.retention.clock import bucket_time
from mcp_lakehouse.retention.journals import Journals
from mcp_lakehouse.retention.leftovers import unfinished
from mcp_lakehouse.retention.local import Cleared
from mcp_lakehouse.retention.matching import Found, find
from mcp_lakehouse.retention.notices import Notices
from mcp_lakehouse.retention.objects import listed, remove
from mcp_lakehouse.retention.pins import Pins
from mcp_lakehouse.retention.records import ForgetPlace, ForgetReport
from mcp_lakehouse.retention.rules import abandoned, told
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.table import RETIRED, Lifetimes, with_retired, without_bounds
from mcp_lakehouse.worker.process import Worker

_LEFT = (
    "the sources that the rows were loaded from: loaded again in another form, they come back",
    "backups and copies of the lake, and older versions of objects where the bucket keeps them",
    "what clients were given, and spans that were exported elsewhere",
    "other datasets, for which forget is run by itself",
    "dropped datasets that are not vacuumed yet: restore, forget, drop again",
    "loads that wait in the rescue bucket: replay them first, or delete them",
    "caches of other processes until their next call, and of other machines until they open the lake again",
)


@dataclass(frozen=True, slots=True)
class Means:
    """What forgetting works with."""

    catalog: Catalog
    runner: Runner
    journals: Journals
    notices: Notices
    pins: Pins
    limits: Limits
    lend: Callable[[], AbstractContextManager[Worker]]
    # Writes what waits to be journaled.
    flush: Callable[[], object]
    # Makes the rows of a new version findable; gives a note where that failed.
    index: Callable[[str], str]
    clear: Callable[[str, Set[str]], Cleared]
    # Puts an overlay into the data files it lies over; raises `Conflict`.
    fold: Callable[[Dataset, Mapping[str, str]], object]


class Forgetting:
    """Forgets rows of one dataset at a time."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def run(self, name: str, where: str, *, dry_run: bool, info: Mapping[str, str]) -> ForgetReport:
        """Forget the rows that a condition holds for; see `Lakehouse.forget`."""
        if not where.strip():
            raise InvalidInput("the condition is empty", hint="to forget a whole dataset, drop it and vacuum")
        dataset = self._means.catalog.get(name)
        if dry_run:
            lives = dataset.writable.lifetimes()
            found = find(dataset, lives, where, self._means.runner)
            return self._foreseen(dataset, lives, found)
        dataset, found, retired = self._committed(dataset, where, info)
        note = self._means.index(dataset.name)
        places, gone = self._bucket(dataset)
        self._means.flush()
        counts, purged = self._means.journals.forget(dataset.name, dry_run=False)
        places += [ForgetPlace(f"system.{journal}", count, "records") for journal, count in counts.items()]
        cleared = self._means.clear(dataset.name, gone | purged)
        self._means.notices.write(dataset.name, gone | purged)
        self._means.notices.check()
        places += _of_this_machine(cleared)
        pins = [
            f"version {pin.version} ({pin.reason})" for pin in self._means.pins.of(dataset) if pin.version in retired
        ]
        if pins:
            places.append(
                ForgetPlace("pinned versions", len(pins), "versions", "can be read no more: " + ", ".join(pins))
            )
        left = [*_LEFT, *([note] if note else [])]
        return ForgetReport(
            dataset=dataset.name,
            version=self._means.catalog.get(name).snapshot.version,
            rows=found.count,
            retired=told(retired),
            places=[ForgetPlace("newest version", found.count, "rows"), *places],
            left=left,
            verified=self._verified(dataset.name, where, gone) and not cleared.left,
            dry_run=False,
        )

    # The commit -------------------------------------------------------------------------------

    def _committed(self, dataset: Dataset, where: str, info: Mapping[str, str]) -> tuple[Dataset, Found, list[int]]:
        from mcp_lakehouse.ingest.removal import without_rows
        from mcp_lakehouse.ingest.staging import emptied

        for _ in range(self._means.limits.retention.commit_attempts):
            dataset = self._means.catalog.get(dataset.name)
            lives = dataset.writable.lifetimes()
            if lives.newest != dataset.snapshot.version:
                continue
            if dataset.snapshot.overlay is not None:
                # It may shadow rows that are to go.
                with contextlib.suppress(Conflict):
                    self._means.fold(dataset, {**info, "operation": "compact"})
                continue
            found = find(dataset, lives, where, self._means.runner)
            retired = _holding(lives, found)
            if not retired:
                return dataset, found, retired
            if found.sources:
                # Before the commit: afterwards nobody would know these names.
                dataset.writable.redact(lives.newest, without_bounds("", (), found.sources))
            now = bucket_time(dataset.home.bucket)
            properties = {RETIRED: with_retired(lives.properties, retired, now, "forget")}
            with self._means.lend() as worker, emptied(worker.scratch):
                left = without_rows(worker, dataset, found.rows, self._means.limits.ingest) if found.rows else []
                try:
                    dataset.writable.rewrite(
                        [file.key for file, _ in found.rows],
                        left,
                        at_version=lives.newest,
                        info={**info, "rows_forgotten": str(found.count)},
                        properties=properties,
                    )
                except Conflict:
                    continue
            return self._means.catalog.get(dataset.name), found, retired
        raise Conflict(f"other writers of {dataset.name!r} kept winning", hint="run it again when fewer are at work")

    def _foreseen(self, dataset: Dataset, lives: Lifetimes, found: Found) -> ForgetReport:
        retired = _holding(lives, found)
        counts, _ = self._means.journals.forget(dataset.name, dry_run=True)
        places = [ForgetPlace("newest version", found.count, "rows")]
        places.append(ForgetPlace("data files", len(found.files), "files that hold such rows, or may"))
        places += [ForgetPlace(f"system.{journal}", count, "records") for journal, count in counts.items()]
        return ForgetReport(
            dataset=dataset.name,
            version=lives.newest,
            rows=found.count,
            retired=told(retired),
            places=places,
            left=list(_LEFT),
            verified=False,
            dry_run=True,
        )

    # Every place ------------------------------------------------------------------------------

    def _bucket(self, dataset: Dataset) -> tuple[list[ForgetPlace], set[str]]:
        """Remove what no version names any more: files, what was made of them, what the log says of them."""
        bucket, prefix = dataset.home.bucket, f"{TABLES}/{folder_of(dataset.name)}"
        lives = dataset.writable.lifetimes()
        gone = lives.stretches.keys() - lives.named_by(lives.open_versions())
        there = listed(bucket, prefix)
        left = abandoned(there, lives.stretches.keys(), self._means.limits.retention, bucket_time(bucket))
        files = remove(bucket, (gone & there.keys()) | {info.key for info in left})
        for path, _ in unfinished(bucket, prefix, _grace(self._means.limits)):
            path.unlink(missing_ok=True)
        young = len(there.keys() - lives.stretches.keys()) - len(left)
        told_young = (
            f"{young} files of writes that may be under way; forget again in a day if none is" if young > 0 else None
        )
        leaves = {leaf(key) for key in gone}
        index = [key for key in listed(bucket, f"index/{folder_of(dataset.name)}") if key.rpartition("/")[2] in leaves]
        passages = remove(bucket, index)
        records = dataset.writable.redact(lives.newest, without_bounds(prefix, gone, ()))
        return [
            ForgetPlace("data files", files, "files", told_young),
            ForgetPlace("passages and embeddings", passages, "files"),
            ForgetPlace("least and greatest values in the log", records, "records"),
        ], set(gone)

    def _verified(self, name: str, where: str, gone: Set[str]) -> bool:
        """Whether the newest version has no such row, and no file that did is left."""
        dataset = self._means.catalog.get(name)
        rows, _ = self._means.runner.matching(name, dataset.snapshot.version, where)
        there = listed(dataset.home.bucket, f"{TABLES}/{folder_of(name)}")
        return not len(rows) and not gone & there.keys()


def _holding(lives: Lifetimes, found: Found) -> list[int]:
    """The readable versions that name a file with such rows."""
    versions = {version for key in found.files for version in lives.versions_naming(key)}
    return sorted(versions & set(lives.open_versions()))


def _of_this_machine(cleared: Cleared) -> list[ForgetPlace]:
    left = f"{cleared.left} files that another process is writing: forget again" if cleared.left else None
    return [
        ForgetPlace("saved results", cleared.results, "results, of every dataset"),
        ForgetPlace("statistics", cleared.statistics, "files"),
        ForgetPlace("copies of remote files", cleared.copies, "files"),
        ForgetPlace("local index", cleared.indexed, "files", left),
    ]


def _grace(limits: Limits) -> timedelta:
    return timedelta(seconds=limits.retention.grace_seconds)
