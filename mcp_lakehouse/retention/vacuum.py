"""Vacuum: old versions are retired by a commit, and their files go when nobody can be reading them any more.

Every step may be the last: what is retired is told so before a file goes, and what is left over is found again by
the next vacuum, from the log and a listing alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mcp_lakehouse.catalog.catalog import Catalog, Dataset, timestamp
from mcp_lakehouse.catalog.listing import TABLES, folder_of
from mcp_lakehouse.catalog.properties import DROPPED_AT
from mcp_lakehouse.catalog.system import JOURNALS, System
from mcp_lakehouse.errors import Conflict, LakehouseError
from mcp_lakehouse.index.generation import Generations
from mcp_lakehouse.limits import RetentionLimits
from mcp_lakehouse.retention.clock import Clocks
from mcp_lakehouse.retention.dropped import Erasing, erased_at, restorable_until
from mcp_lakehouse.retention.leftovers import index_leftovers, past_recipes, unfinished
from mcp_lakehouse.retention.objects import listed, remove
from mcp_lakehouse.retention.pins import Pins
from mcp_lakehouse.retention.records import DatasetVacuum, VacuumReport
from mcp_lakehouse.retention.rules import Kept, abandoned, choose, removable, retiring, superseded, told
from mcp_lakehouse.store import Bucket, ObjectInfo
from mcp_lakehouse.table import RETIRED, Lifetimes, Table, with_retired, without_retired


@dataclass(frozen=True, slots=True)
class Options:
    """How to vacuum. `at_once`: files of retired versions go without waiting for readers."""

    dry_run: bool
    at_once: bool
    info: Mapping[str, str]


class Vacuum:
    """Vacuums the tables of one lake."""

    def __init__(
        self,
        catalog: Catalog,
        system: System,
        limits: RetentionLimits,
        pinned: Sequence[Mapping[str, int]],
        drop: Callable[[Iterable[str]], object],
    ) -> None:
        """`pinned`: generations that stay, by dataset; `drop` is told which files are gone: there may be copies."""
        self._pinned = pinned
        self._drop = drop
        self._catalog = catalog
        self._system = system
        self._limits = limits
        self._pins = Pins(catalog)

    def run(self, names: Sequence[str] | None, options: Options) -> VacuumReport:
        """Vacuum some datasets, or all with the lake's own journals. Raises `NotFound` for a name that is none."""
        found = self._named(names) if names is not None else sorted(self._catalog.names())
        clocks = Clocks(dry_run=options.dry_run)
        reports: list[DatasetVacuum] = []
        for name in found:
            with self._telling(reports, name):
                reports.append(self._dataset(name, clocks, options))
        if names is None:
            for name in JOURNALS:
                with self._telling(reports, f"system.{name}"):
                    reports.append(self._journal(name, clocks, options))
        return VacuumReport(
            datasets=reports,
            files_removed=sum(each.files_removed for each in reports),
            bytes_removed=sum(each.bytes_removed for each in reports),
            dry_run=options.dry_run,
        )

    def _named(self, names: Sequence[str]) -> list[str]:
        found = []
        for name in dict.fromkeys(names):
            dataset = self._catalog.find(name)
            if dataset is None:
                raise self._catalog.missing(name)
            found.append(dataset.name)
        return found

    @contextlib.contextmanager
    def _telling(self, reports: list[DatasetVacuum], name: str) -> Iterator[None]:
        """One table that cannot be read or written does not keep the others from being vacuumed."""
        try:
            yield
        except LakehouseError as error:
            reports.append(_report(name, note=f"not vacuumed: {error.message}"))

    # One dataset ------------------------------------------------------------------------------

    def _dataset(self, name: str, clocks: Clocks, options: Options) -> DatasetVacuum:
        dataset = self._catalog.find(name)
        if dataset is None:
            return self._unborn(name, clocks, options)
        bucket, prefix = dataset.home.bucket, f"{TABLES}/{folder_of(name)}"
        now = clocks.now(bucket)
        if dataset.dropped and (erased_at(dataset) is not None or self._is_over(dataset, now, options)):
            return self._erase(dataset, prefix, now, options)
        lives, kept = self._retired(dataset, now, options)
        going = removable(lives, self._limits, now, at_once=options.at_once)
        there = listed(bucket, prefix)
        waiting = [there[key] for key in going.waiting if key in there]
        report = _report(
            name,
            retired=told(kept.retire),
            waiting=waiting,
            until=going.until,
            kept=self._why(kept, lives, dataset),
        )
        ready = [there[key] for key in going.ready if key in there]
        ready += abandoned(there, lives.stretches.keys(), self._limits, now)
        gone = removable(lives, self._limits, now, at_once=True).ready
        index = listed(bucket, f"index/{folder_of(name)}")
        past = past_recipes(Generations(bucket), name, [each[name] for each in self._pinned if name in each])
        ready += index_leftovers(index, f"index/{folder_of(name)}", lives, gone, past, self._limits, now)
        return self._removed(report, bucket, prefix, ready, options)

    def _unborn(self, name: str, clocks: Clocks, options: Options) -> DatasetVacuum:
        """A folder that holds nothing but what is left of a first load that was broken off."""
        report = _report(name)
        prefix = f"{TABLES}/{folder_of(name)}"
        for home in self._catalog.homes:
            left = abandoned(listed(home.bucket, prefix), (), self._limits, clocks.now(home.bucket))
            report = self._removed(report, home.bucket, prefix, left, options)
        return report

    def _is_over(self, dataset: Dataset, now: datetime, options: Options) -> bool:
        """Whether a dropped dataset's time is over, and nobody can be reading it."""
        dropped = datetime.fromisoformat(dataset.snapshot.properties[DROPPED_AT])
        waited = options.at_once or now >= dropped + timedelta(seconds=self._limits.grace_seconds)
        over = now >= restorable_until(dataset, self._limits.keep_days)
        return over and waited and not self._pins.versions(dataset)

    def _retired(self, dataset: Dataset, now: datetime, options: Options) -> tuple[Lifetimes, Kept]:
        """The lifetimes with everything retired that is to be, by a commit of its own."""
        table = dataset.writable
        for _ in range(self._limits.commit_attempts):
            lives = table.lifetimes()
            pins = self._pins.versions(dataset)
            kept = choose(lives, pins, self._limits, now)
            if options.dry_run or not kept.retire:
                return retiring(lives, kept.retire, now, "vacuum"), kept
            try:
                table.set_properties(
                    properties={RETIRED: with_retired(lives.properties, kept.retire, now, "vacuum")},
                    info=options.info,
                    at_version=lives.newest,
                )
            except Conflict:
                continue
            late = (self._pins.versions(dataset) - pins) & set(kept.retire)
            if late:
                # Pinned while they were being retired: none of their files is gone yet.
                self._readable_again(table, late, options)
                continue
            return table.lifetimes(), kept
        raise Conflict(f"other writers of {dataset.name!r} kept winning", hint="vacuum again when fewer are at work")

    def _readable_again(self, table: Table, versions: Iterable[int], options: Options) -> None:
        for _ in range(self._limits.commit_attempts):
            snapshot = table.snapshot()
            with contextlib.suppress(Conflict):
                table.set_properties(
                    properties={RETIRED: without_retired(snapshot.properties, versions)},
                    info=options.info,
                    at_version=snapshot.version,
                )
                return

    def _why(self, kept: Kept, lives: Lifetimes, dataset: Dataset) -> list[str]:
        """What stays, and what keeps it."""
        limits = self._limits
        found = [f"versions {', '.join(told(kept.newest))}: the newest (keep_versions = {limits.keep_versions})"]
        young = kept.young - kept.newest
        if young:
            found.append(f"versions {', '.join(told(young))}: newest until lately (keep_days = {limits.keep_days})")
        found += [f"version {pin.version}: pinned ({pin.reason})" for pin in self._pins.of(dataset)]
        free = set(lives.open_versions()) - kept.newest - kept.young - kept.pinned - set(kept.retire)
        if free:
            found.append(f"versions {', '.join(told(free))}: their files are all needed anyway")
        if dataset.dropped:
            found.append(f"dropped, restorable until {timestamp(restorable_until(dataset, limits.keep_days))} at least")
        return found

    # Dropped datasets, journals ---------------------------------------------------------------

    def _erase(self, dataset: Dataset, prefix: str, now: datetime, options: Options) -> DatasetVacuum:
        erasing, bucket = Erasing(dataset), dataset.home.bucket
        there = listed(bucket, prefix)
        gone = erasing.files(there, listed(bucket, f"index/{folder_of(dataset.name)}"))
        gone += abandoned(there, {info.key for info in gone}, self._limits, now)
        report = _report(dataset.name, note="dropped, and not restorable any more: all of it is removed")
        if not options.dry_run:
            erasing.mark(now, options.info)
        report = self._removed(report, bucket, prefix, gone, options)
        if not options.dry_run:
            erasing.finish()
        return report

    def _journal(self, name: str, clocks: Clocks, options: Options) -> DatasetVacuum:
        """The lake's own journals are read at their newest version only."""
        report, bucket = _report(f"system.{name}"), self._system.home.bucket
        now = clocks.now(bucket)
        for table in self._system.journal_tables(name):
            lives = table.lifetimes()
            there = listed(bucket, table.prefix)
            ready = [there[key] for key in superseded(lives, self._limits, now) if key in there]
            ready += abandoned(there, lives.stretches.keys(), self._limits, now)
            report = self._removed(report, bucket, table.prefix, ready, options)
        return report

    def _removed(
        self, report: DatasetVacuum, bucket: Bucket, prefix: str, going: Sequence[ObjectInfo], options: Options
    ) -> DatasetVacuum:
        """Remove the objects, and what killed writers left unfinished; the report counts them."""
        left = unfinished(bucket, prefix, timedelta(seconds=self._limits.grace_seconds))
        if not options.dry_run:
            remove(bucket, (info.key for info in going))
            self._drop(info.key for info in going)
            for path, _ in left:
                path.unlink(missing_ok=True)
        return replace(
            report,
            files_removed=report.files_removed + len(going) + len(left),
            bytes_removed=report.bytes_removed + sum(info.bytes for info in going) + sum(size for _, size in left),
        )


def _report(
    name: str,
    *,
    retired: Sequence[str] = (),
    waiting: Sequence[ObjectInfo] = (),
    until: datetime | None = None,
    kept: Sequence[str] = (),
    note: str | None = None,
) -> DatasetVacuum:
    return DatasetVacuum(
        dataset=name,
        retired=list(retired),
        files_removed=0,
        bytes_removed=0,
        files_waiting=len(waiting),
        bytes_waiting=sum(info.bytes for info in waiting),
        kept=list(kept),
        waiting_until=timestamp(until) if until is not None and waiting else None,
        note=note,
    )
