"""Around every verb of a lake: the caller's rights, one span, and the error journal."""

from __future__ import annotations

import contextlib
import copy
import getpass
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mcp_lakehouse import trace
from mcp_lakehouse.errors import (
    Cancelled,
    Conflict,
    KeyRefused,
    LakehouseError,
    LimitExceeded,
    ModelFailed,
    ModelTimedOut,
    NotAllowed,
    ObjectExists,
    ObjectMissing,
    StorageFailed,
    UnsupportedLake,
    WorkerDied,
)
from mcp_lakehouse.journal import Journal
from mcp_lakehouse.llm.endpoint import without_address
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.store.failures import local_failure

# The right that an operation takes; others that change something take that of an administrator.
_RIGHT_FOR = {"ingest": "ingest", "build_index": "index", "rollback_index": "index", "replay_rescued": "replay"}
# Whose texts are those of a bucket, of a process or of a model's endpoint, and what a reader is told instead.
_UNTOLD: dict[type[LakehouseError], type[LakehouseError]] = {
    StorageFailed: StorageFailed,
    UnsupportedLake: UnsupportedLake,
    WorkerDied: WorkerDied,
    ModelFailed: ModelFailed,
    KeyRefused: ModelFailed,
    ObjectMissing: StorageFailed,
    ObjectExists: Conflict,
    ModelTimedOut: LimitExceeded,
}


class Recorder:
    """`scratch`: a folder of this machine, for errors that do not say where they happened."""

    def __init__(
        self, journal: Journal, *, profile: Profile | None, read_only: bool, scratch: Path, places: Sequence[str]
    ) -> None:
        """`places`: what texts may name of where the lake is; a reader is not told."""
        self._places = sorted(set(places), key=len, reverse=True)
        self._journal = journal
        self._profile = profile
        self._read_only = read_only
        self._scratch = scratch
        # What is done before every verb.
        self.before: Callable[[], None] = _nothing

    @contextlib.contextmanager
    def changing(self, operation: str, dataset: str | None) -> Iterator[None]:
        """As `recording`, for what changes the lake: raises `NotAllowed` where it is open read-only."""
        with self.recording(operation, dataset, right=_RIGHT_FOR.get(operation, "admin")):
            if self._read_only:
                raise NotAllowed(
                    f"{operation} is not allowed: the lake is open read-only", hint="open it without --read-only"
                )
            yield

    @contextlib.contextmanager
    def recording(self, operation: str, dataset: str | None, *, right: str = "read") -> Iterator[None]:
        """One span; every failure goes to the error journal. Raises `NotAllowed` without the right."""
        with trace.span(f"lake.{operation}", dataset=dataset):
            try:
                self.before()
                if self._profile is not None and right not in self._profile.rights:
                    raise NotAllowed(
                        f"{operation} is not allowed to profile {self._profile.name!r}",
                        hint=f"its rights: {', '.join(sorted(self._profile.rights))}; the administrator sets them",
                    )
                yield
            except Cancelled:
                # A caller who changes their mind is no failure of the lake.
                raise
            except Exception as error:
                # What the bucket's own errors do not tell of is the disk of the scratch folder.
                told = (
                    local_failure(error, "use", "", str(error.filename or self._scratch))
                    if isinstance(error, OSError)
                    else error
                )
                self._write_down(told, operation, dataset)
                if self._is_reader():
                    raise self._for_a_reader(told, operation) from None
                if told is error:
                    raise
                raise told from error

    def failed(self, error: LakehouseError, operation: str, dataset: str | None) -> LakehouseError:
        """Journal what went wrong beside an operation; gives what the caller may be told of it."""
        self._write_down(error, operation, dataset)
        return self._for_a_reader(error, operation) if self._is_reader() else error

    def shown(self, text: str) -> str:
        """A text of ours without what a reader is not to know of where things lie."""
        if self._is_reader():
            for place in self._places:
                text = text.replace(place, "…")
            text = without_address(text)
        return text

    def _is_reader(self) -> bool:
        return self._profile is not None and "admin" not in self._profile.rights

    def _write_down(self, error: Exception, operation: str, dataset: str | None) -> None:
        """Once, although operations lie in each other."""
        if getattr(error, "journaled", False):
            return
        error.journaled = True  # type: ignore[attr-defined]  # any exception takes it
        who = user() if self._profile is None else f"profile {self._profile.name}"
        self._journal.error(error, operation=operation, dataset=dataset, who=who)

    def _for_a_reader(self, error: Exception, operation: str) -> LakehouseError:
        """The error without what a reader is not to know: where the lake lies, and what else is there."""
        kind = next((_UNTOLD[each] for each in type(error).__mro__ if each in _UNTOLD), None)
        if isinstance(error, LakehouseError) and type(error) is not LakehouseError and kind is None:
            told = copy.copy(error)
            told.message, told.hint = self.shown(error.message), error.hint and self.shown(error.hint)
            told.args = (told.message,)
            return told
        kind = kind or LakehouseError
        trace_id = trace.current_trace_id()
        seen = f" (trace {trace_id})" if trace_id else ""
        hint = f"the administrator finds the cause in system.errors{seen}"
        if isinstance(error, StorageFailed) and error.kept:
            hint = f"it is kept as {error.kept} and will be finished by replay_rescued: do not load it again; {hint}"
        untold = kind(f"{operation} failed ({kind.code})", hint=hint)
        untold.journaled = True
        return untold


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _nothing() -> None:
    return
