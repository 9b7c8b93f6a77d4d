"""The lake's rescue bucket: keeps loads that their own bucket refuses, and finishes them when it takes them again."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.catalog.catalog import Catalog, timestamp
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, NotFound, StorageFailed, UnsupportedLake
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.records import Replayed, ReplayReport
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.store.failures import local_failure
from mcp_lakehouse.store.homes import home_named

if TYPE_CHECKING:
    from mcp_lakehouse.ingest.load import Loader, Progress, Request
    from mcp_lakehouse.records import IngestReport
    from mcp_lakehouse.rescue.entries import Entry, JournalEntry

    AnyEntry = Entry | JournalEntry | UnsupportedLake

_NAMED = 20
# No dataset can have this name.
_JOURNALS = "system"
_LAKES_OWN = ("", _JOURNALS)

# Takes an error, its operation and its dataset for the journal; gives what the caller may be told of it.
Tell = Callable[[LakehouseError, str, str | None], LakehouseError]
# Makes new rows of a dataset findable; gives a note, if there is one.
Indexed = Callable[[str], str]
# Appends rows to a journal by its name, under an application id.
AppendJournal = Callable[[str, Sequence[Mapping[str, object]], str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """What it takes to finish an entry. `scratch`: a folder that loads may read from; `over_newer`: `Request`'s."""

    loader: Loader
    scratch: Path
    indexed: Indexed
    append_journal: AppendJournal
    over_newer: bool


class Rescue:
    """Around the loads of one lake. Without a bucket it changes nothing.

    What a `profile` may not change is not there for it. `tell` journals an error of an operation (its second
    argument) on a dataset.
    """

    def __init__(self, bucket: Bucket | None, catalog: Catalog, profile: Profile | None, *, tell: Tell) -> None:
        self.bucket = bucket
        self._catalog = catalog
        self._profile = profile
        self._tell = tell

    def waiting(self) -> list[str]:
        """The ids of what is kept, oldest first; raises `StorageFailed`, and `InvalidInput` without a bucket."""
        from mcp_lakehouse.rescue import entries

        bucket = self._set()
        return [id for id, _ in self._shown(entries.entries(bucket, entries.waiting(bucket)))]

    def _shown(self, found: Sequence[tuple[str, AnyEntry]]) -> list[tuple[str, AnyEntry]]:
        profile = self._profile
        if profile is None:
            return list(found)
        own = _LAKES_OWN if "admin" in profile.rights else ()
        names = {name for name in (_about(each) for _, each in found) if profile.shows(name)}
        whole = {name for name in names - set(_LAKES_OWN) if profile.restriction(name).whole}
        return [(id, each) for id, each in found if _about(each) in whole.union(own)]

    # Keeping ----------------------------------------------------------------------------------

    def load(self, loader: Loader, request: Request, *, progress: Progress, cancel: CancelToken) -> IngestReport:
        """`loader.load`; what fails because its bucket refuses it or is away is kept, and the error says so."""
        if self.bucket is None:
            return loader.load(request, progress=progress, cancel=cancel)
        from mcp_lakehouse.rescue.entries import new_id

        # Its name from the first attempt on: a commit may arrive although it was reported as failed.
        request = replace(request, attempt=new_id())
        try:
            return loader.load(request, progress=progress, cancel=cancel)
        except (StorageFailed, OSError) as error:
            refused = _refusal(error)
            if refused is None or not self._kept(self.bucket, loader, request, refused, cancel):
                raise
            told = type(refused)(
                refused.message,
                hint=f"kept as {request.attempt}: replay_rescued finishes it once that is mended, do not load it again"
                + (f"; to mend it: {refused.hint}" if refused.hint else ""),
            )
            told.kept = request.attempt
            raise told from error

    def _kept(
        self, bucket: Bucket, loader: Loader, request: Request, refused: StorageFailed, cancel: CancelToken
    ) -> bool:
        """Whether a refused load is in the rescue bucket now."""
        from mcp_lakehouse.rescue import entries

        try:
            entries.seal(bucket, self._entry(bucket, loader, request, refused, cancel))
        except (LakehouseError, OSError) as error:
            entries.discard(bucket, request.attempt)
            failed = error if isinstance(error, LakehouseError) else local_failure(error, "use", "", "the source")
            if not isinstance(failed, Cancelled):
                self._tell(failed, "rescue", request.dataset)
            return False
        return True

    def _entry(
        self, bucket: Bucket, loader: Loader, request: Request, refused: StorageFailed, cancel: CancelToken
    ) -> Entry:
        from mcp_lakehouse.ingest.sources import InlineText
        from mcp_lakehouse.names import as_name, check_name, stem
        from mcp_lakehouse.rescue import entries

        id = request.attempt
        if isinstance(request.source, InlineText):
            # Written as it was given: the disk that is full may be the one it would be spooled to.
            name = request.source.name.strip() or "inline"
            dataset = check_name(request.dataset) if request.dataset else as_name(stem(name))
            # The load may have failed before it came to that, and whoever finishes it may more.
            self._catalog.check_changeable(dataset)
            files = entries.keep_text(bucket, id, name, request.source.text)
        else:
            dataset, sources = loader.given(request)
            self._catalog.check_changeable(dataset)
            files = entries.keep_files(bucket, id, sources, cancel)
        return entries.Entry(
            id=id,
            dataset=dataset,
            mode=request.mode,
            at=timestamp(entries.moment_of(id)),
            who=request.who,
            trace_id=request.trace_id,
            error=entries.told(refused),
            files=files,
            key=_listed(request.key),
            text=_listed(request.text),
            description=request.description,
            bucket=self._home(dataset, request.bucket),
        )

    def _home(self, dataset: str, bucket: str | None) -> str | None:
        """The bucket that a load goes to, for whoever finishes it may see others. Raises `InvalidInput`."""
        return self._catalog.known_home(dataset) if bucket is None else home_named(self._catalog.homes, bucket).name

    def keep_journal(self, rows: Mapping[str, Sequence[Mapping[str, object]]]) -> bool:
        """Keep rows of the journals, by name; whether they are kept now."""
        from mcp_lakehouse.rescue import entries

        if self.bucket is None:
            return False
        id = f"{entries.JOURNAL}{entries.new_id()}"
        try:
            entries.seal(self.bucket, entries.JournalEntry(id, timestamp(entries.moment_of(id)), rows))
        except LakehouseError:
            return False
        return True

    # Finishing --------------------------------------------------------------------------------

    def replay(
        self,
        work: Work,
        id: str | None,
        *,
        progress: Progress,
        cancel: CancelToken,
    ) -> ReplayReport:
        """Finish what is kept, oldest first, or one of it: what was committed before is recognised, not repeated.

        What would replace rows that came in later waits, unless it is asked for by its id.

        An entry that fails stays, and so do later ones of its dataset. Raises `NotFound` for an id that is none,
        `StorageFailed` when the rescue bucket cannot be read, `Cancelled`.
        """
        from mcp_lakehouse.rescue import entries

        bucket = self._set()
        found = self._shown(entries.entries(bucket, entries.waiting(bucket)))
        if id is not None and all(id != each for each, _ in found):
            kept = ", ".join(each for each, _ in found[:_NAMED]) or "nothing"
            raise NotFound(f"nothing is kept as {id[:100]!r}", hint=f"kept: {kept}")
        held: dict[str, str] = {}
        done = []
        for each, entry in found:
            cancel.check()
            dataset = _about(entry)
            if id not in (None, each):
                held.setdefault(dataset, each)
                continue
            if isinstance(entry, UnsupportedLake):
                replayed = Replayed(id=each, dataset=dataset, at="", waits=str(entry))
            elif dataset in held:
                replayed = _waits(entry, f"{held[dataset]} of the same dataset comes before it")
            elif isinstance(entry, entries.JournalEntry):
                replayed = self._journal(bucket, entry, work.append_journal)
            else:
                replayed = self._finished(bucket, work, entry, progress, cancel)
            if replayed.waits is not None:
                held.setdefault(dataset, each)
            done.append(replayed)
            if id is not None:
                break
        with contextlib.suppress(LakehouseError):
            entries.sweep(bucket)
        return ReplayReport(done)

    def _finished(
        self,
        bucket: Bucket,
        work: Work,
        entry: Entry,
        progress: Progress,
        cancel: CancelToken,
    ) -> Replayed:
        from mcp_lakehouse.rescue import entries

        try:
            try:
                version, notes = self._committed(bucket, work, entry, progress, cancel)
            except NotFound:
                if entries.is_there(bucket, entry.id):
                    raise
                # Another process has finished it meanwhile, and taken its files away.
                version, notes = self._catalog.get(entry.dataset).snapshot.version, ["another process finished it"]
            entries.remove(bucket, entry.id)
        except Cancelled:
            raise
        except (LakehouseError, OSError) as error:
            failed = error if isinstance(error, LakehouseError) else local_failure(error, "use", "", str(work.scratch))
            return _waits(entry, str(self._tell(failed, "replay_rescued", entry.dataset)))
        if note := work.indexed(entry.dataset):
            notes = [*notes, note]
        return Replayed(id=entry.id, dataset=entry.dataset, at=entry.at, version=version, note="; ".join(notes) or None)

    def _committed(
        self, bucket: Bucket, work: Work, entry: Entry, progress: Progress, cancel: CancelToken
    ) -> tuple[int, list[str]]:
        """The version that holds an entry's load, now or since before, and what there is to say of it."""
        from mcp_lakehouse.ingest.attempts import committed
        from mcp_lakehouse.ingest.load import Request
        from mcp_lakehouse.rescue import entries

        before = committed(self._catalog.table(entry.dataset, entry.bucket), entry.id)
        if before is not None:
            return before, ["it had arrived before"]
        folder = work.scratch / f"replay-{secrets.token_hex(8)}"
        try:
            report = work.loader.load(
                Request(
                    source=[],
                    dataset=entry.dataset,
                    mode=entry.mode,
                    key=entry.key,
                    text=entry.text,
                    description=entry.description,
                    bucket=entry.bucket,
                    who=entry.who,
                    trace_id=entry.trace_id,
                    attempt=entry.id,
                    files=entries.fetched(bucket, entry, folder, cancel),
                    since=entries.moment_of(entry.id),
                    over_newer=work.over_newer,
                ),
                progress=progress,
                cancel=cancel,
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return report.version, report.notes

    def _journal(self, bucket: Bucket, entry: JournalEntry, append_journal: AppendJournal) -> Replayed:
        from mcp_lakehouse.ingest.attempts import attempt_transaction
        from mcp_lakehouse.rescue import entries

        try:
            for name, rows in entry.rows.items():
                append_journal(name, rows, attempt_transaction(entry.id))
            entries.remove(bucket, entry.id)
        except (LakehouseError, OSError) as error:
            return _waits(entry, str(error))
        except (ValueError, TypeError, AttributeError, AssertionError) as error:
            return _waits(entry, f"its request does not hold rows of a journal: {error}")
        return Replayed(id=entry.id, dataset=_about(entry), at=entry.at)

    def _set(self) -> Bucket:
        if self.bucket is None:
            raise InvalidInput("no rescue bucket is set", hint="set LAKEHOUSE_RESCUE to the address of a bucket")
        return self.bucket


def _refusal(error: StorageFailed | OSError) -> StorageFailed | None:
    """What the error of a load says of a bucket or this machine's disk; `None` if it is about something else."""
    if isinstance(error, StorageFailed):
        return error
    told = local_failure(error, "use", "", str(error.filename or "the lake's local state"))
    return told if isinstance(told, StorageFailed) else None


def _about(entry: AnyEntry) -> str:
    """The dataset of an entry, as far as that is known; for journals all of them."""
    if isinstance(entry, UnsupportedLake):
        return ""
    return entry.dataset if hasattr(entry, "dataset") else _JOURNALS


def _waits(entry: Entry | JournalEntry, why: str) -> Replayed:
    return Replayed(id=entry.id, dataset=_about(entry), at=entry.at, waits=why)


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)
