"""Finding and adding up a table's log: the newest checkpoint at or before a version, then every commit after it.

Reading is ours because the table library replays every file of the table after each commit (80 ms at
1,000 files, against 0.1 ms here) and looks each transaction up by itself.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from mcp_lakehouse.errors import NotFound, UnsupportedLake
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table.log import UNCOUNTED, Action, LogState, Replay, commit_of, damaged, join, parse_commit
from mcp_lakehouse.table.values import Commit, DataFile

LOG = "_delta_log"
_POINTER = "_last_checkpoint"
# Commits fetched side by side when a log is opened; on a local disk the misses cost nothing.
_BATCH = 32
# Most logs that are opened are short, and each look beyond the end is a request of its own.
_FIRST_BATCH = 4
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT_COLUMNS = ("txn", "add.path", "add.size", "add.stats", "add.deletionVector", "metaData", "protocol")


class LogReader:
    """Reads one table's log. Holds no state, so threads may share it."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def key(self, version: int) -> str:
        """Where the log file of a version lies, or will."""
        return self._log_key(f"{version:020d}.json")

    def exists(self) -> bool:
        """Whether there is a table."""
        return self._bucket.exists(self.key(0)) or self._bucket.exists(self._log_key(_POINTER))

    def open(self) -> LogState | None:
        """The newest version, or `None` where there is no table."""
        pointer, first = self._bucket.read_many([self._log_key(_POINTER), self.key(0)])
        checkpoint = self._pointed(pointer)
        if checkpoint is None and first is None:
            # Someone cleaned the log and lost the pointer, or there is no table at all.
            checkpoint = self._newest_checkpoint()
            if checkpoint is None:
                return None
        try:
            replay = self._start(checkpoint)
        except UnsupportedLake:
            # A checkpoint that something was taken out of for good is another one now.
            again = self._pointed(self._bucket.read_many([self._log_key(_POINTER)])[0])
            if again == checkpoint or (again is None and first is None):
                raise
            checkpoint = again
            replay = self._start(checkpoint)
        if checkpoint is None and first is not None:
            self._apply(replay, 0, parse_commit(first, self.key(0)))
        for version, actions in self.commits(replay.version + 1, first_batch=_FIRST_BATCH):
            self._apply(replay, version, actions)
        self._check_end(replay.version)
        return self._finished(replay)

    def advance(self, state: LogState) -> LogState:
        """A state with the commits since in it; the same object if there are none."""
        replay: Replay | None = None
        for version, actions in self.commits(state.version + 1, first_batch=1):
            replay = replay or Replay.of(state, self._prefix)
            self._apply(replay, version, actions)
        return self._finished(replay) if replay else state

    def open_version(self, version: int, newest: int) -> LogState:
        """An older version. Raises `NotFound`, naming those that can be read."""
        pointer = self._pointed(self._bucket.read_many([self._log_key(_POINTER)])[0])
        if self._bucket.exists(self.key(0)) and (pointer or 0) <= version:
            earliest, usable = 0, [] if pointer is None else [pointer]
        else:
            earliest, checkpoints = self._listed()
            usable = [each for each in checkpoints if each <= version]
        if not earliest <= version <= newest:
            raise NotFound(
                f"table {self._prefix!r} has no version {version}", hint=f"it has versions {earliest} to {newest}"
            )
        replay = self._start(max(usable, default=None))
        for number, actions in self.commits(replay.version + 1, until=version):
            self._apply(replay, number, actions)
        if replay.version != version:
            raise NotFound(
                f"version {version} of table {self._prefix!r} cannot be read: its log has a gap",
                hint=f"restore {self.key(replay.version + 1)}",
            )
        return self._finished(replay)

    def earliest(self) -> int:
        """The first version that can be read."""
        return 0 if self._bucket.exists(self.key(0)) else self._listed()[0]

    def records(self, versions: Sequence[int]) -> Iterator[Commit]:
        """The records of versions, in the order given, up to the first that is missing."""
        for start in range(0, len(versions), _BATCH):
            batch = versions[start : start + _BATCH]
            for version, data in zip(batch, self._bucket.read_many([self.key(each) for each in batch]), strict=True):
                if data is None:
                    return
                with damaged(self.key(version)):
                    record = commit_of(version, parse_commit(data, self.key(version)))
                yield record

    def commits(
        self, start: int, *, until: int | None = None, first_batch: int = _BATCH
    ) -> Iterator[tuple[int, Sequence[Action]]]:
        """Every commit from `start` on, as far as the log goes without a gap (or until that version)."""
        size = first_batch
        while until is None or start <= until:
            stop = start + size if until is None else min(start + size, until + 1)
            for version, data in zip(
                range(start, stop), self._bucket.read_many([self.key(each) for each in range(start, stop)]), strict=True
            ):
                if data is None:
                    return
                yield version, parse_commit(data, self.key(version))
            start, size = stop, min(2 * size, _BATCH)

    def _start(self, checkpoint: int | None) -> Replay:
        replay = Replay(self._prefix)
        if checkpoint is None:
            return replay
        self._apply(replay, checkpoint, chain.from_iterable(self._checkpoint_parts(checkpoint)))
        # The checkpoint does not say when its version was committed.
        for version, actions in self.commits(checkpoint, until=checkpoint):
            self._apply(replay, version, [action for action in actions if "commitInfo" in action])
        return replay

    def _apply(self, replay: Replay, version: int, actions: Iterable[Action]) -> None:
        with damaged(self.key(version)):
            replay.apply(version, actions)

    def _finished(self, replay: Replay) -> LogState:
        for file_id, file in replay.files.items():
            if file.rows == UNCOUNTED:
                replay.files[file_id] = replace(file, rows=self._counted(file))
        return replay.state()

    def _counted(self, file: DataFile) -> int:
        import pyarrow.parquet

        path = self._bucket.local_path(file.key)
        source = path if path is not None else io.BytesIO(self._bucket.read(file.key))
        try:
            return int(pyarrow.parquet.read_metadata(source).num_rows)
        except (OSError, ValueError) as error:
            raise UnsupportedLake(
                f"{file.key} cannot be read as Parquet, and the log does not say how many rows it has",
                hint="restore that file, or the version before it",
            ) from error

    def _check_end(self, version: int) -> None:
        """Raise `UnsupportedLake` if commits after this version are there and the next is not.

        Without this look a lost commit would make what came after it vanish, and the next one collide with it.
        Object storage loses nothing by a copy that was broken off, and a listing there costs as much as the rest.
        """
        if self._bucket.local_path(self._prefix) is not None:
            names = self._names()
            # The one that is missing may have been committed since.
            if _last_commit(names) > version and not self._bucket.exists(self.key(version + 1)):
                raise self._gap(version + 1)

    def _gap(self, version: int) -> UnsupportedLake:
        return UnsupportedLake(
            f"{self.key(version)} is missing, and later versions are there",
            hint="restore that file from a copy; it was deleted, or the lake was not copied whole",
        )

    def _newest_checkpoint(self) -> int | None:
        """Found by listing; `None` where there is no table. Raises `UnsupportedLake` where its beginning is lost."""
        names = self._names()
        newest = max(_checkpoints(names), default=None)
        if newest is None and _last_commit(names) > 0:
            raise self._gap(0)
        return newest

    def _pointed(self, data: bytes | None) -> int | None:
        """The version of the checkpoint that the table's pointer names."""
        try:
            return None if data is None else int(json.loads(data)["version"])
        except (ValueError, KeyError, TypeError):
            # Only a hint to readers; the listing has the truth.
            return max(_checkpoints(self._names()), default=None)

    def log_files(self) -> list[str]:
        """The keys of everything in the log's folder."""
        return [info.key for info in self._bucket.list(self._log_key(""))]

    @property
    def pointer(self) -> str:
        """The key of what names the newest checkpoint."""
        return self._log_key(_POINTER)

    def _names(self) -> list[str]:
        return [info.key.rpartition("/")[2] for info in self._bucket.list(self._log_key(""))]

    def _listed(self) -> tuple[int, list[int]]:
        """The first readable version, and the versions that have a whole checkpoint."""
        names = self._names()
        checkpoints = _checkpoints(names)
        return (0 if f"{0:020d}.json" in names else min(checkpoints, default=0)), checkpoints

    def _checkpoint_parts(self, version: int) -> Iterator[list[Action]]:
        name = f"{version:020d}.checkpoint"
        single = self._bucket.read_many([self._log_key(f"{name}.parquet")])[0]
        if single is not None:
            yield _checkpoint_actions(single)
            return
        infos = list(self._bucket.list(self._log_key("")))
        keys = sorted(info.key for info in infos if info.key.rpartition("/")[2].startswith(f"{name}."))
        if not keys or not all(_CHECKPOINT.fullmatch(key.rpartition("/")[2]) for key in keys):
            raise UnsupportedLake(
                f"the checkpoint of version {version} of table {self._prefix!r} is missing or of a newer kind",
                hint="upgrade mcp-lakehouse, or restore that file",
            )
        for key in keys:
            yield _checkpoint_actions(self._bucket.read(key))

    def _log_key(self, name: str) -> str:
        return join(self._prefix, f"{LOG}/{name}" if name else LOG)


def _last_commit(names: Iterable[str]) -> int:
    return max((int(match[1]) for match in map(_COMMIT.fullmatch, names) if match), default=-1)


def _checkpoints(names: Iterable[str]) -> list[int]:
    """The versions of whole checkpoints, sorted."""
    found: dict[int, int] = {}
    parts: dict[int, int] = {}
    for match in filter(None, map(_CHECKPOINT.fullmatch, names)):
        version = int(match[1])
        found[version] = found.get(version, 0) + 1
        parts[version] = int(match[3] or 1)
    return sorted(version for version, count in found.items() if count >= parts[version])


def _checkpoint_actions(data: bytes) -> list[Action]:
    import pyarrow
    import pyarrow.parquet

    try:
        rows: list[dict[str, Any]] = (
            pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data)).read(columns=list(_CHECKPOINT_COLUMNS)).to_pylist()
        )
    except (OSError, ValueError) as error:
        raise UnsupportedLake("a checkpoint of the table is damaged", hint="delete it and _last_checkpoint") from error
    actions: list[Action] = []
    for row in rows:
        action = {name: value for name, value in row.items() if value is not None}
        if "metaData" in action:
            # Parquet maps arrive as pairs.
            action["metaData"]["configuration"] = dict(action["metaData"]["configuration"] or ())
            action["metaData"]["format"]["options"] = dict(action["metaData"]["format"].get("options") or ())
        if action:
            actions.append(action)
    return actions


def write_checkpoint(bucket: Bucket, prefix: str, version: int | None = None) -> None:
    """Let readers start at the newest version (or this one) instead of the first.

    Raises whatever the table library does.
    """
    from deltalake import DeltaTable

    local = bucket.local_path(prefix)
    address = str(local) if local is not None else join(bucket.url, prefix)
    DeltaTable(address, version=version, storage_options=dict(bucket.storage_options)).create_checkpoint()
