"""Around every verb of a lake: the caller's rights, one span, and the error journal."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mcp_lakehouse import trace
from mcp_lakehouse.errors import Cancelled, LakehouseError, NotAllowed, StorageFailed, UnsupportedLake, WorkerDied
from mcp_lakehouse.journal import Journal
from mcp_lakehouse.profile import Profile
from mcp_lakehouse.store.failures import local_failure

# The right that an operation takes; others that change something take that of an administrator.
_RIGHT_FOR = {"ingest": "ingest", "build_index": "index", "rollback_index": "index", "replay_rescued": "replay"}


class Recorder:
    """`scratch`: a folder of this machine, for errors that do not say where they happened."""

    def __init__(
        self, journal: Journal, *, profile: Profile | None, read_only: bool, scratch: Path, places: Sequence[str]
    ) -> None:
        """`places`: what errors may name of where the lake lies, longest first; a reader is not told."""
        self._places = places
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
            self.before()
            try:
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
                who = user() if self._profile is None else f"profile {self._profile.name}"
                self._journal.error(told, operation=operation, dataset=dataset, who=who)
                if self._profile is not None and "admin" not in self._profile.rights:
                    raise self._for_a_reader(told, operation) from None
                if told is error:
                    raise
                raise told from error

    def _for_a_reader(self, error: Exception, operation: str) -> Exception:
        """The error without what a reader is not to know: where the lake lies, and what else is there."""
        if not isinstance(error, LakehouseError) or isinstance(error, StorageFailed | UnsupportedLake | WorkerDied):
            kind = type(error) if isinstance(error, LakehouseError) else LakehouseError
            trace_id = trace.current_trace_id()
            seen = f" (trace {trace_id})" if trace_id else ""
            return kind(
                f"{operation} failed ({kind.code})", hint=f"the administrator finds the cause in system.errors{seen}"
            )
        for place in self._places:
            error.message = error.message.replace(place, "…")
            error.hint = error.hint and error.hint.replace(place, "…")
        return error


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _nothing() -> None:
    return
