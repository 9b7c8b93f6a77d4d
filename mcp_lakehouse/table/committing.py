"""Putting one commit at the next place of the log: files first, then the record that names them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from mcp_lakehouse.errors import Conflict, LakehouseError, StorageFailed
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table.actions import Draft, changed_metadata, commit_bytes, txn_id
from mcp_lakehouse.table.log import LogState, join
from mcp_lakehouse.table.overlay import FOLDER, OVERLAY, read_overlay, written
from mcp_lakehouse.table.reading import LogReader, write_checkpoint
from mcp_lakehouse.table.values import DataFile, Overlay, OverlayRows, StagedFile

ABSENT = -1
CHECKPOINT_COMMITS = 100
# Each lost attempt means that another writer's commit went in, so this is only reached in a storm.
COMMIT_ATTEMPTS = 100

# Files that were put in place longer ago, by either clock, are looked at before a commit names them: a vacuum
# takes what lies around unnamed for a day.
_UNNAMED_SECONDS = 3_600.0

# What a commit is to do on top of a state (`None`: there is no table). Asked again after a lost race.
Plan = Callable[[LogState | None], Draft]


@dataclass(frozen=True, slots=True)
class StagedOverlay:
    """A finished file that is to be the table's overlay, and what it holds."""

    file: StagedFile
    content: OverlayRows


class Committer:
    """Commits to one table. `current` gives the newest state, `adopt` takes in a commit of our own."""

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        reader: LogReader,
        *,
        current: Callable[[], LogState | None],
        adopt: Callable[[LogState | None, int, bytes], None],
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._reader = reader
        self._current = current
        self._adopt = adopt
        self._local = bucket.local_path(prefix) is not None

    def commit(
        self,
        plan: Plan,
        staged: Sequence[StagedFile],
        transactions: Mapping[str, int],
        at_version: int | None,
        overlay: StagedOverlay | None = None,
    ) -> int:
        """Commit and return the version; the staged files are gone then.

        Raises `Conflict` when the plan's base or a transaction is taken. When it raises, the staged files
        are still there, and those put in place are removed again, unless the commit may yet arrive or the
        server is down (then they stay, and nothing names them).
        """
        placed: list[DataFile] = []
        laid: list[DataFile] = []
        clocks = time.time(), time.monotonic()
        arriving = False
        try:
            for _ in range(COMMIT_ATTEMPTS):
                state = self._current()
                self._check(state, transactions, at_version)
                draft = plan(state)
                if not placed:
                    self._place(staged, placed, "")
                if overlay is not None and not laid:
                    self._place([overlay.file], laid, f"{FOLDER}/")
                self._check_placed([*placed, *laid], clocks)
                version = 0 if state is None else state.version + 1
                draft = self._with_overlay(draft, state, placed, laid, overlay)
                data = commit_bytes(draft, placed, transactions, state, self._prefix)
                arriving = True
                won = self._put(version, data, [*placed, *laid])
                arriving = False
                if won:
                    self._adopt(state, version, data)
                    _take([*staged, *([overlay.file] if overlay is not None else [])])
                    self._checkpoint(version)
                    return version
            raise Conflict(f"other writers of {self._prefix!r} kept winning", hint="try again when fewer are at work")
        except StorageFailed:
            # A server that is down would only be waited for again; on a full disk the room is wanted back.
            if not arriving and self._local:
                self._discard([*placed, *laid])
            raise
        except BaseException:
            if not arriving:
                self._discard([*placed, *laid])
            raise

    def _with_overlay(
        self,
        draft: Draft,
        state: LogState | None,
        placed: Sequence[DataFile],
        laid: Sequence[DataFile],
        overlay: StagedOverlay | None,
    ) -> Draft:
        """The draft with the new overlay, or with the one that stays and does not reach what is added now."""
        metadata = draft.metadata or (state.metadata if state else None)
        if metadata is None:
            return draft
        if overlay is not None:
            (file,) = laid
            now = Overlay(file.key, file.bytes, overlay.content, file.statistics)
        elif not placed:
            return draft
        else:
            before = read_overlay(metadata.properties.get(OVERLAY), self._prefix)
            if before is None:
                return draft
            now = replace(before, after=before.after | {file.key for file in placed})
        properties = {OVERLAY: written(now, self._prefix)}
        return replace(draft, metadata=changed_metadata(metadata, None, None, properties))

    def _check(self, state: LogState | None, transactions: Mapping[str, int], at_version: int | None) -> None:
        newest = ABSENT if state is None else state.version
        if at_version is not None and at_version != newest:
            what = "is there already" if at_version == ABSENT else f"is at version {newest}, not {at_version}"
            raise Conflict(f"table {self._prefix!r} {what}", hint="read it again and redo the work")
        for app_id, version in transactions.items():
            known = None if state is None else state.transactions.get(app_id)
            if known is not None and known >= version:
                raise Conflict(
                    f"table {self._prefix!r} has taken in transaction {app_id!r} {version} before",
                    hint="nothing is left to do: ask transaction_version first",
                )

    def _place(self, staged: Sequence[StagedFile], placed: list[DataFile], folder: str) -> None:
        # Names sort in the order of writing, so that every reader sees the rows in one order.
        start = f"part-{time.time_ns():016x}"
        for number, file in enumerate(staged):
            size = _size(file)
            if size != file.bytes:
                raise StorageFailed(
                    f"the staged file {file.path.name} has {size} bytes, not {file.bytes}: it is not whole",
                    hint="check the free space where files are staged, and load again",
                )
            key = join(self._prefix, f"{folder}{start}-{number:04d}-{uuid4().hex[:12]}.parquet")
            placed.append(DataFile(key, file.bytes, file.rows, file.statistics))
            self._bucket.upload(file.path, key)

    def _check_placed(self, placed: Sequence[DataFile], began: tuple[float, float]) -> None:
        waited = max(time.time() - began[0], time.monotonic() - began[1])
        gone = [file.key for file in placed if waited > _UNNAMED_SECONDS and not self._bucket.exists(file.key)]
        if gone:
            raise StorageFailed(
                f"{gone[0]} was removed before its commit, which took too long (or the clock was set)",
                hint="run it again; nothing was changed",
            )

    def _put(self, version: int, data: bytes, placed: Sequence[DataFile]) -> bool:
        """Whether this commit got its place in the log."""
        try:
            self._bucket.write(self._reader.key(version), data, if_absent=True)
        except Conflict:
            # A request whose answer was lost is sent again, and then refused because of itself.
            return self._holds(version, data)
        except StorageFailed:
            if self._holds(version, data):
                return True
            if self._local:
                # Unlike a request over a network, this one cannot arrive late.
                self._discard(placed)
            raise
        return True

    def _holds(self, version: int, data: bytes) -> bool:
        found = self._bucket.read_many([self._reader.key(version)])[0]
        # By its own id: something may have been taken out of it since (`redacting.py`).
        return found is not None and txn_id(found) == txn_id(data)

    def _discard(self, placed: Sequence[DataFile]) -> None:
        # What no commit names is invisible, so a failure here costs space and nothing else.
        with contextlib.suppress(LakehouseError):
            self._bucket.delete(file.key for file in placed)

    def _checkpoint(self, version: int) -> None:
        if version and version % CHECKPOINT_COMMITS == 0:
            # The commit stands without it, and the library raises more kinds than it documents.
            with contextlib.suppress(Exception):
                write_checkpoint(self._bucket, self._prefix)


def _size(file: StagedFile) -> int:
    try:
        return file.path.stat().st_size
    except OSError as error:
        raise StorageFailed(
            f"the staged file {file.path.name} cannot be read: {error.strerror}", hint="load the source again"
        ) from error


def _take(staged: Sequence[StagedFile]) -> None:
    """Remove staged files: on a local disk they are the table's own files under a second name."""
    for file in staged:
        with contextlib.suppress(OSError):
            file.path.unlink(missing_ok=True)
