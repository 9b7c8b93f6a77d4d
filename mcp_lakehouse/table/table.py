"""A table: versions that are committed whole or not at all, and can all be read again.

Every change is one file put at the next number of the log, only if nobody was there first; so several
processes and machines can write without any server. The log is Delta Lake's, and other engines read it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from mcp_lakehouse.errors import Conflict, NotFound
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table.actions import Draft
from mcp_lakehouse.table.committing import Committer, StagedOverlay
from mcp_lakehouse.table.history import History
from mcp_lakehouse.table.lifetimes import Lifetimes, read_lifetimes
from mcp_lakehouse.table.log import LogState, Replay, parse_commit
from mcp_lakehouse.table.overlay import OVERLAY, read_overlay, visible_rows
from mcp_lakehouse.table.plans import (
    Change,
    appended,
    created,
    described,
    existing,
    laid_over,
    replaced,
    restored,
    rewritten,
)
from mcp_lakehouse.table.protocol import check_readable
from mcp_lakehouse.table.reading import LogReader
from mcp_lakehouse.table.redacting import Redaction, redact
from mcp_lakehouse.table.retired import Retirement, retirement
from mcp_lakehouse.table.values import Commit, OverlayRows, Snapshot, StagedFile, TableColumn

_OLD_VERSIONS_KEPT = 8
_NO_INFO: Mapping[str, str] = MappingProxyType({})
_NO_TRANSACTIONS: Mapping[str, int] = MappingProxyType({})
_SAME: Mapping[str, str | None] = MappingProxyType({})


class Table:
    """The table in one folder of a bucket. Cheap to make, safe to share between threads.

    Commits take `info` (what to record: operation, source, who, trace id, counts), `description` and
    `properties` (set along with the rows; `None` leaves the description, and removes a property),
    `transactions` (application id -> version; one that was committed before raises `Conflict`) and
    `at_version`: the version the caller looked at, or `ABSENT` for none; if it is not the newest any
    more, `Conflict`. Without `at_version` a commit goes on top of whatever is newest. Each returns the
    new version and takes the staged files; when it raises they are still there, to be tried again.

    Besides, every method may raise `StorageFailed`, and `UnsupportedLake` for what this version cannot read.
    """

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/")
        self._reader = LogReader(bucket, self._prefix)
        self._history = History(self._reader, self._prefix)
        self._committer = Committer(bucket, self._prefix, self._reader, current=self._current, adopt=self._adopt)
        self._lock = threading.RLock()
        self._state: LogState | None = None
        self._shown: tuple[LogState, Snapshot] | None = None
        self._old: OrderedDict[int, Snapshot] = OrderedDict()

    @property
    def prefix(self) -> str:
        """Its folder in the bucket."""
        return self._prefix

    # Reading ----------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Whether there is a table."""
        return self._state is not None or self._reader.exists()

    def head(self) -> int | None:
        """The newest version, `None` where there is no table. Costs one look for the version after it."""
        state = self._current()
        return None if state is None else state.version

    def newest(self) -> Snapshot | None:
        """The newest version, `None` where there is no table. Costs one look, as `head` does."""
        state = self._current()
        if state is None:
            return None
        with self._lock:
            return self._newest(state)

    def snapshot(self, version: int | None = None, at: datetime | None = None) -> Snapshot:
        """The newest version, an older one, or the newest at a moment (UTC where it has no zone).

        Raises `NotFound`, naming the versions there are, or saying when that one was vacuumed.
        """
        state = existing(self._current(), self._prefix)
        if version is None and at is not None:
            version = self._history.version_at(at, state.version)
        if version is not None and version != state.version:
            self._check_kept(state, version)
        with self._lock:
            if version is None or version == state.version:
                return self._newest(state)
            if version not in self._old:
                self._old[version] = self._snapshot_of(self._reader.open_version(version, state.version))
            self._old.move_to_end(version)
            if len(self._old) > _OLD_VERSIONS_KEPT:
                self._old.popitem(last=False)
            return self._old[version]

    def history(self, limit: int | None = None) -> list[Commit]:
        """The newest records first, at most `limit`; as far back as the log goes."""
        return self._history.newest(existing(self._current(), self._prefix).version, limit)

    def transaction_version(self, app_id: str) -> int | None:
        """What was last committed under an application id; 0 is a version, `None` is none."""
        state = self._current()
        return None if state is None else state.transactions.get(app_id)

    def transactions_at(self, version: int) -> Mapping[str, int]:
        """Every application id committed up to a version, with what was last committed under it."""
        newest = existing(self._current(), self._prefix).version
        return self._reader.open_version(version, newest).transactions

    def lifetimes(self) -> Lifetimes:
        """Which versions name which files. Reads the whole log."""
        return read_lifetimes(self._reader, self._prefix, existing(self._current(), self._prefix))

    def retirement(self, version: int) -> Retirement | None:
        """What made a version unreadable, if anything did."""
        return retirement(existing(self._current(), self._prefix).metadata.properties, version)

    # Writing ----------------------------------------------------------------------------------

    def create_or_append(
        self,
        columns: Sequence[TableColumn],
        staged: Sequence[StagedFile],
        *,
        transactions: Mapping[str, int] = _NO_TRANSACTIONS,
        info: Mapping[str, str] = _NO_INFO,
        description: str | None = None,
        properties: Mapping[str, str | None] = _SAME,
        at_version: int | None = None,
    ) -> int:
        """Add rows; makes the table where there is none.

        `columns` are those of the staged files. New ones, and wider types that lose no value, become the
        table's in the same commit; anything else raises `SchemaMismatch`. Files keep the types they were
        written with: a reader casts them to the table's.
        """
        change = Change(info, description, properties)

        def plan(state: LogState | None) -> Draft:
            return created(columns, change) if state is None else appended(state, columns, change, self._prefix)

        return self._committer.commit(plan, staged, transactions, at_version)

    def replace(
        self,
        columns: Sequence[TableColumn],
        staged: Sequence[StagedFile],
        *,
        transactions: Mapping[str, int] = _NO_TRANSACTIONS,
        info: Mapping[str, str] = _NO_INFO,
        description: str | None = None,
        properties: Mapping[str, str | None] = _SAME,
        at_version: int | None = None,
    ) -> int:
        """Put these rows and columns in the place of all there are; makes the table where there is none."""
        change = Change(info, description, properties)

        def plan(state: LogState | None) -> Draft:
            return created(columns, change) if state is None else replaced(state, columns, change, self._prefix)

        return self._committer.commit(plan, staged, transactions, at_version)

    def rewrite(
        self,
        remove: Sequence[str],
        add: Sequence[StagedFile],
        *,
        at_version: int,
        transactions: Mapping[str, int] = _NO_TRANSACTIONS,
        info: Mapping[str, str] = _NO_INFO,
        columns: Sequence[TableColumn] | None = None,
        description: str | None = None,
        properties: Mapping[str, str | None] = _SAME,
        data_change: bool = True,
    ) -> int:
        """Put new files in the place of some (by key): an upsert, a deletion, a compaction.

        `columns`, where given, grow as in an append. The overlay of that version goes: what it holds must be in the
        new files, and what it shadows not. Raises `Conflict` if anything was committed since `at_version`; with
        `data_change=False` (rows only move) only if those files, the overlay or the columns changed.
        """
        change = Change(info, description, properties)

        def plan(state: LogState | None) -> Draft:
            base = existing(state, self._prefix)
            if not data_change:
                self._check_unmoved(base, self.snapshot(at_version))
            return rewritten(base, remove, columns, change, self._prefix, data_change=data_change)

        return self._committer.commit(plan, add, transactions, at_version if data_change else None)

    def lay_over(
        self,
        staged: StagedFile | None,
        content: OverlayRows,
        *,
        at_version: int,
        info: Mapping[str, str] = _NO_INFO,
        transactions: Mapping[str, int] = _NO_TRANSACTIONS,
        columns: Sequence[TableColumn] | None = None,
        description: str | None = None,
        properties: Mapping[str, str | None] = _SAME,
    ) -> int:
        """Put an overlay over all files there are, in the place of the one before; `None` for none.

        The file has the table's columns and `DELETED`, and holds what `content` says. `columns`, where given, grow
        as in an append. Raises `Conflict` if anything was committed since `at_version`.
        """
        change = Change(info, description, properties)
        overlay = None if staged is None else StagedOverlay(staged, content)

        def plan(state: LogState | None) -> Draft:
            return laid_over(existing(state, self._prefix), columns, change, self._prefix)

        return self._committer.commit(plan, (), transactions, at_version, overlay)

    def set_properties(
        self,
        description: str | None = None,
        properties: Mapping[str, str | None] = _SAME,
        *,
        info: Mapping[str, str] = _NO_INFO,
        at_version: int | None = None,
    ) -> int:
        """Change description and properties, and nothing else."""
        change = Change(info, description, properties)
        return self._committer.commit(
            lambda state: described(existing(state, self._prefix), change, self._prefix), (), {}, at_version
        )

    def restore(
        self,
        version: int,
        info: Mapping[str, str] = _NO_INFO,
        *,
        properties: Mapping[str, str | None] = _SAME,
        transactions: Mapping[str, int] = {},
        at_version: int | None = None,
    ) -> int:
        """Make an older version's rows, columns, description and properties the newest again.

        `properties` are set on top of them. Transactions of later versions stay known.
        Raises `NotFound` if the version or a file of it is gone.
        """
        change = Change(info, None, properties)

        def plan(state: LogState | None) -> Draft:
            base = existing(state, self._prefix)
            self._check_kept(base, version)
            draft = restored(base, self._reader.open_version(version, base.version), change, self._prefix)
            overlay = read_overlay((draft.metadata or base.metadata).properties.get(OVERLAY), self._prefix)
            for key in [file.key for file in draft.restored] + ([overlay.key] if overlay is not None else []):
                if not self._bucket.exists(key):
                    raise NotFound(
                        f"version {version} of {self._prefix!r} has lost the file {key}",
                        hint="restore that file from a copy, or choose another version",
                    )
            return draft

        return self._committer.commit(plan, (), transactions, at_version)

    def redact(self, until: int, change: Redaction) -> int:
        """Take something out of the records up to a version, and out of checkpoints; returns how many changed.

        May be broken off anywhere, and done again.
        """
        changed = redact(self._bucket, self._prefix, self._reader, until, change)
        if changed:
            self._history.forget()
        return changed

    # Inside -----------------------------------------------------------------------------------

    def _check_kept(self, state: LogState, version: int) -> None:
        gone = retirement(state.metadata.properties, version)
        if gone is not None:
            raise NotFound(
                f"version {version} of table {self._prefix!r} {gone}",
                hint="it cannot be read any more; system.versions says what each version was, and the newest is there",
            )

    def _current(self) -> LogState | None:
        with self._lock:
            if self._state is None:
                self._state = self._reader.open()
            elif self._bucket.exists(self._reader.key(self._state.version + 1)):
                self._state = self._reader.advance(self._state)
            return self._state

    def _check_unmoved(self, state: LogState, read: Snapshot) -> None:
        """Raise `Conflict` where what was read has other columns or another overlay by now."""
        overlay = read_overlay(state.metadata.properties.get(OVERLAY), self._prefix)
        if state.metadata.columns != read.columns:
            raise Conflict(f"the columns of {self._prefix!r} have changed", hint="read it again and redo the work")
        if (overlay and overlay.key) != (read.overlay and read.overlay.key):
            raise Conflict(f"the overlay of {self._prefix!r} has changed", hint="read it again and redo the work")

    def _newest(self, state: LogState) -> Snapshot:
        if self._shown is None or self._shown[0] is not state:
            self._shown = state, self._snapshot_of(state)
        return self._shown[1]

    def _adopt(self, base: LogState | None, version: int, data: bytes) -> None:
        """Take in a commit of our own without reading it back."""
        with self._lock:
            if self._state is not base:
                return
            replay = Replay.of(base, self._prefix) if base else Replay(self._prefix)
            replay.apply(version, parse_commit(data, self._reader.key(version)))
            self._state = replay.state()

    def _snapshot_of(self, state: LogState) -> Snapshot:
        check_readable(state, self._prefix)
        files = tuple(sorted(state.files.values(), key=lambda file: file.key))
        overlay = read_overlay(state.metadata.properties.get(OVERLAY), self._prefix)
        return Snapshot(
            version=state.version,
            columns=state.metadata.columns,
            files=files,
            rows=visible_rows(files, overlay),
            description=state.metadata.description,
            properties=state.metadata.properties,
            updated_at=state.updated_at,
            overlay=overlay,
        )
