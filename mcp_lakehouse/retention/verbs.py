"""The lake's verbs about what is kept. `Lakehouse` has them; here they stand together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

from mcp_lakehouse.catalog.catalog import Catalog
from mcp_lakehouse.catalog.properties import DROPPED_AT, RESTORABLE_UNTIL
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.limits import Limits
from mcp_lakehouse.records import DropReport, RestoreReport
from mcp_lakehouse.retention.dropped import check_restorable, dropping, restored
from mcp_lakehouse.retention.records import ForgetReport, Pin, VacuumReport
from mcp_lakehouse.retention.retention import Retention
from mcp_lakehouse.retention.vacuum import Options


class Recording(Protocol):
    """`Recorder.recording`."""

    def __call__(self, operation: str, dataset: str | None, *, right: str = "read") -> AbstractContextManager[None]: ...


class RetentionVerbs:
    """Part of `Lakehouse`."""

    catalog: Catalog
    _limits: Limits
    # What `Recorder` gives.
    _changing: Callable[[str, str | None], AbstractContextManager[None]]
    _recording: Recording

    @property
    def _retention(self) -> Retention:
        raise NotImplementedError

    def _info(self, operation: str, who: str | None) -> dict[str, str]:
        raise NotImplementedError

    def drop_dataset(self, dataset: str, confirm: str, *, who: str | None = None) -> DropReport:
        """Hide a dataset; its versions stay for `keep_days`, and `restore_dataset` brings it back."""
        with self._changing("drop_dataset", dataset):
            found = self.catalog.get(dataset)
            if confirm != dataset:
                raise InvalidInput(
                    f"confirm is {confirm[:100]!r}, the dataset is {dataset!r}", hint="give the dataset's name again"
                )
            properties = dropping(self._limits.retention.keep_days, datetime.now(UTC))
            info = self._info("drop", who)
            found.writable.set_properties(properties=properties, info=info, at_version=found.snapshot.version)
            return DropReport(dropped=found.name, restorable_until=properties[RESTORABLE_UNTIL])

    def restore_dataset(self, dataset: str, version: int | None = None, *, who: str | None = None) -> RestoreReport:
        """Bring back a dropped dataset, or the content of an older version as a new one."""
        with self._changing("restore_dataset", dataset):
            found = self.catalog.find(dataset)
            if found is None:
                raise self.catalog.missing(dataset)
            check_restorable(found)
            if version is None and not found.dropped:
                raise InvalidInput(
                    f"{found.name!r} is there, at version {found.snapshot.version}",
                    hint="give version to go back to an older one; system.versions lists them",
                )
            if version is None:
                # Not over a vacuum that has removed it meanwhile.
                at, info = found.snapshot.version, self._info("undrop", who)
                found.writable.set_properties(properties={DROPPED_AT: ""}, info=info, at_version=at)
            else:
                restored(found, version, self._info("restore", who))
            return RestoreReport(dataset=found.name, version=found.table.snapshot().version)

    def vacuum(
        self,
        datasets: str | Sequence[str] | None = None,
        *,
        dry_run: bool = False,
        at_once: bool = False,
        who: str | None = None,
    ) -> VacuumReport:
        """Retire versions that neither `keep_days` nor `keep_versions` nor a pin keeps, and remove files.

        The files of a version go a day after it was retired, for whoever still reads it; with `at_once` now, and
        statements over such versions that run elsewhere fail. Without `datasets` all are vacuumed, dropped ones
        and the lake's own journals too. `dry_run` changes nothing.
        """
        names = [datasets] if isinstance(datasets, str) else datasets
        with self._doing("vacuum", names[0] if names is not None and len(names) == 1 else None, dry_run=dry_run):
            return self._retention.vacuum.run(names, Options(dry_run, at_once, self._info("vacuum", who)))

    def forget(
        self, dataset: str, where: str, confirm: str | None = None, *, dry_run: bool = False, who: str | None = None
    ) -> ForgetReport:
        """Delete the rows that a condition holds for, everywhere: see docs/operations.md for what that reaches.

        The newest version is rewritten without them; versions that held them can be read no more. `confirm` is the
        dataset's name again. Broken off anywhere, it is finished by calling it again.
        """
        with self._doing("forget", dataset, dry_run=dry_run):
            if not dry_run and confirm != dataset:
                raise InvalidInput(
                    f"confirm is {(confirm or '')[:100]!r}, the dataset is {dataset!r}",
                    hint="give the dataset's name again, or dry_run to see what would go",
                )
            return self._retention.forgetting.run(dataset, where, dry_run=dry_run, info=self._info("forget", who))

    def pin(self, dataset: str, version: int, reason: str, *, who: str | None = None) -> Pin:
        """Keep a version, and so the passages that are cited from it, from every vacuum until `unpin`."""
        with self._changing("pin", dataset):
            return self._retention.pins.add(dataset, version, reason, self._info("pin", who)["who"])

    def unpin(self, dataset: str, version: int, reason: str | None = None) -> int:
        """Take a pin away, or without a reason every pin of a version; returns how many."""
        with self._changing("unpin", dataset):
            return self._retention.pins.remove(dataset, version, reason)

    def _doing(self, operation: str, dataset: str | None, *, dry_run: bool) -> AbstractContextManager[None]:
        """A dry run tells of what only an administrator sees, and changes nothing."""
        return self._recording(operation, dataset, right="admin") if dry_run else self._changing(operation, dataset)
