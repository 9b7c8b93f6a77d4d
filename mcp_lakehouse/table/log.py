"""The state that a table's log adds up to. Pure: actions in, state out.

The log is that of Delta Lake: https://github.com/delta-io/delta/blob/master/PROTOCOL.md
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from mcp_lakehouse.errors import UnsupportedLake
from mcp_lakehouse.records import Json
from mcp_lakehouse.table.schema import NUMBERS, columns_of
from mcp_lakehouse.table.types import Decimal, Scalar, parse_type
from mcp_lakehouse.table.values import Commit, DataFile, Statistics, TableColumn

# One line of the log: {"add": {...}}, {"metaData": {...}}, ... Its keys are fixed by the protocol.
Action = Mapping[str, Any]
# A file is known by its path and, where it has one, its deletion vector.
FileId = tuple[str, str]


@dataclass(frozen=True)
class Metadata:
    """The table's own description in the log; `raw` is the `metaData` action's body."""

    raw: Mapping[str, Any]

    @cached_property
    def columns(self) -> tuple[TableColumn, ...]:
        """The columns. Raises `UnsupportedLake` for types this version does not know."""
        return columns_of(self.raw["schemaString"])

    @property
    def description(self) -> str | None:
        """What a person said the table is."""
        return self.raw.get("description")

    @property
    def properties(self) -> Mapping[str, str]:
        """The table's properties."""
        found: Mapping[str, str] = self.raw.get("configuration") or {}
        return found

    @cached_property
    def ordered(self) -> Mapping[str, str]:
        """The columns whose least and greatest value the log keeps: name to `number` or `date`."""
        kinds = {column.name: "number" if column.type in NUMBERS else column.type.lower() for column in self.columns}
        return {name: kind for name, kind in kinds.items() if kind in ("number", "date")}

    @cached_property
    def flat(self) -> frozenset[str]:
        """The columns without parts: the log counts their NULLs."""
        return frozenset(
            column.name for column in self.columns if isinstance(parse_type(column.type), Scalar | Decimal)
        )


@dataclass(frozen=True)
class LogState:
    """A table at one version, as its log has it. Never changed once made."""

    version: int
    milliseconds: int
    metadata: Metadata
    protocol: Mapping[str, Any]
    files: Mapping[FileId, DataFile]
    transactions: Mapping[str, int]

    @property
    def updated_at(self) -> datetime:
        """When the version was committed, in UTC."""
        return datetime.fromtimestamp(self.milliseconds / 1000, UTC)


@dataclass
class Replay:
    """Adds up actions, starting from nothing or from a state. `prefix` is the table's folder in its bucket."""

    prefix: str
    version: int = -1
    milliseconds: int = 0
    metadata: Metadata | None = None
    protocol: Mapping[str, Any] | None = None
    files: dict[FileId, DataFile] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, state: LogState, prefix: str) -> Replay:
        """Go on from a state, which stays as it is."""
        return cls(
            prefix,
            state.version,
            state.milliseconds,
            state.metadata,
            state.protocol,
            dict(state.files),
            dict(state.transactions),
        )

    def apply(self, version: int, actions: Iterable[Action]) -> None:
        """Take in one version (or a checkpoint, which is one version's sum)."""
        waiting: list[Action] = []
        for action in actions:
            if "metaData" in action:
                self._describe(Metadata(action["metaData"]))
            elif "protocol" in action:
                self.protocol = action["protocol"]
                if not all(
                    isinstance(action["protocol"][name], int) for name in ("minReaderVersion", "minWriterVersion")
                ):
                    raise TypeError("a protocol without versions")
            elif "txn" in action:
                self.transactions[action["txn"]["appId"]] = action["txn"]["version"]
            elif "commitInfo" in action:
                self.milliseconds = commit_milliseconds(action["commitInfo"])
            elif "add" in action or "remove" in action:
                waiting.append(action)
        self.version = version
        # Statistics are read by the schema, which may come after the files in the same commit.
        ordered = self.metadata.ordered if self.metadata and waiting else {}
        for action in waiting:
            if "add" in action:
                self.files[_file_id(action["add"])] = self._data_file(action["add"], ordered)
            else:
                self.files.pop(_file_id(action["remove"]), None)

    def state(self) -> LogState:
        """The sum. Raises `UnsupportedLake` where the log lacks what every log has."""
        if self.metadata is None or self.protocol is None:
            raise UnsupportedLake(
                f"the log of {self.prefix!r} has no metadata or protocol",
                hint="it is not a whole Delta table: restore the missing files of its _delta_log folder",
            )
        return LogState(self.version, self.milliseconds, self.metadata, self.protocol, self.files, self.transactions)

    def _describe(self, metadata: Metadata) -> None:
        before, self.metadata = self.metadata, metadata
        if not isinstance(metadata.raw["schemaString"], str):
            raise TypeError("a table without a schema")
        if before is None or before.raw["schemaString"] == metadata.raw["schemaString"]:
            return
        # A widened column may not be of the kind any more whose least and greatest value are exact.
        changed = {name for name, kind in before.ordered.items() if metadata.ordered.get(name) != kind}
        if changed:
            for file_id, file in self.files.items():
                self.files[file_id] = replace(file, statistics=_without_bounds(file.statistics, changed))

    def _data_file(self, add: Mapping[str, Any], ordered: Mapping[str, str]) -> DataFile:
        path = unquote(add["path"])
        statistics: Mapping[str, Any] = json.loads(add["stats"]) if add.get("stats") else {}
        rows = statistics.get("numRecords")
        return DataFile(
            join(self.prefix, path),
            add["size"],
            # Legal, if rare: a file whose writer did not count; the reader of the log does.
            UNCOUNTED if rows is None else rows,
            _statistics(statistics, ordered),
        )


UNCOUNTED = -1


def parse_commit(data: bytes, name: str) -> list[Action]:
    """The actions of one log file. Raises `UnsupportedLake` when it is damaged."""
    with damaged(name):
        lines = [json.loads(line) for line in data.splitlines() if line.strip()]
        actions: list[Action] = [{name: body for name, body in line.items() if body is not None} for line in lines]
        # Every writer says at least who it was: a file without an action was cut.
        if any(actions) and all(isinstance(body, dict) for action in actions for body in action.values()):
            return actions
        raise ValueError("no actions")


@contextlib.contextmanager
def damaged(name: str) -> Iterator[None]:
    """Actions that are not of the protocol's shape raise `UnsupportedLake`; `name` is the log file they are from."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedLake(
            f"{name} is damaged",
            hint="restore that file from a copy; without one, move it and the later versions out of that folder: "
            "those before it are whole",
        ) from error


def commit_of(version: int, actions: Iterable[Action]) -> Commit:
    """The record of one version."""
    told: Mapping[str, Any] = {}
    rows = added = removed = 0
    for action in actions:
        if "commitInfo" in action:
            told = action["commitInfo"]
        elif "add" in action:
            added += 1
            statistics = action["add"].get("stats")
            rows += (json.loads(statistics).get("numRecords") or 0) if statistics else 0
        elif "remove" in action:
            removed += 1
    info = told.get("lakehouse") or {}
    at = datetime.fromtimestamp(commit_milliseconds(told) / 1000, UTC)
    return Commit(version, at, told.get("operation", ""), info, rows, added, removed)


def commit_milliseconds(told: Mapping[str, Any]) -> int:
    """When a commit was made, in milliseconds since 1970."""
    return int(told.get("inCommitTimestamp") or told.get("timestamp") or 0)


def has_deletion_vector(file: FileId) -> bool:
    """Whether some rows of the file are marked deleted elsewhere."""
    return bool(file[1])


def join(prefix: str, path: str) -> str:
    """A path in the table's folder as a key of the bucket."""
    return f"{prefix}/{path}" if prefix else path


def _file_id(action: Mapping[str, Any]) -> FileId:
    vector = action.get("deletionVector")
    mark = f"{vector['storageType']}{vector['pathOrInlineDv']}@{vector.get('offset')}" if vector else ""
    return unquote(action["path"]), mark


def _statistics(told: Mapping[str, Any], ordered: Mapping[str, str]) -> Statistics:
    """Only what is exact: other engines shorten texts and round timestamps."""
    found: dict[str, dict[str, Json]] = {}
    for name, nulls in (told.get("nullCount") or {}).items():
        if isinstance(nulls, int):
            found.setdefault(name, {})["nulls"] = nulls
    for ours, theirs in (("min", "minValues"), ("max", "maxValues")):
        for name, value in (told.get(theirs) or {}).items():
            if is_exact(value, ordered.get(name)):
                found.setdefault(name, {})[ours] = value
    return found


def _without_bounds(statistics: Statistics, names: Set[str]) -> Statistics:
    found = {
        name: {what: value for what, value in told.items() if name not in names or what == "nulls"}
        for name, told in statistics.items()
    }
    return {name: told for name, told in found.items() if told}


def is_exact(value: object, kind: str | None) -> bool:
    """Whether a statistic may stand in the log for a column of this kind (`number`, `date` or none)."""
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
    return kind == "date" and isinstance(value, str)
