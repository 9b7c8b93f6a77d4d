"""The lake's verbs about what is kept. `Lakehouse` has them; here they stand together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.retention.records import ForgetReport, Pin, VacuumReport
from mcp_lakehouse.retention.retention import Retention
from mcp_lakehouse.retention.vacuum import Options


class Recording(Protocol):
    """`Recorder.recording`."""

    def __call__(self, operation: str, dataset: str | None, *, right: str = "read") -> AbstractContextManager[None]: ...


class RetentionVerbs:
    """Part of `Lakehouse`."""

    # What `Recorder` gives.
    _changing: Callable[[str, str | None], AbstractContextManager[None]]
    _recording: Recording

    @property
    def _retention(self) -> Retention:
        raise NotImplementedError

    def _info(self, operation: str, who: str | None) -> dict[str, str]:
        raise NotImplementedError

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
