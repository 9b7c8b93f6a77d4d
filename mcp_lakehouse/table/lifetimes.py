"""Which versions of a table name which files: one reading of the whole log."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from mcp_lakehouse.table.log import LogState, Replay, join
from mcp_lakehouse.table.overlay import OVERLAY
from mcp_lakehouse.table.reading import LogReader
from mcp_lakehouse.table.retired import retirements


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """The files that the versions `earliest` to `newest` name, by key, each with its stretches of versions.

    A stretch holds both its ends; one that reaches `newest` has not ended. `bytes` are those of the log. `at`
    gives for each version when it was committed.
    """

    earliest: int
    newest: int
    at: Mapping[int, datetime]
    stretches: Mapping[str, Sequence[tuple[int, int]]]
    bytes: Mapping[str, int]
    properties: Mapping[str, str]

    def open_versions(self) -> list[int]:
        """Those that can be read, in order."""
        retired = {v for each in retirements(self.properties) for v in range(each.first, each.last + 1)}
        return [version for version in range(self.earliest, self.newest + 1) if version not in retired]

    def superseded_at(self, version: int) -> datetime | None:
        """When a version stopped being the newest; `None` for the one that is."""
        return self.at.get(version + 1)

    def named_by(self, versions: Sequence[int]) -> set[str]:
        """The keys that any of these versions (in order) names."""
        return {key for key, stretches in self.stretches.items() if self.touches(stretches, versions)}

    @staticmethod
    def touches(stretches: Iterable[tuple[int, int]], versions: Sequence[int]) -> bool:
        """Whether one of the versions (in order) lies in a stretch."""
        for first, last in stretches:
            place = bisect_left(versions, first)
            if place < len(versions) and versions[place] <= last:
                return True
        return False

    def versions_naming(self, key: str) -> Iterator[int]:
        """Every version that names a file."""
        for first, last in self.stretches[key]:
            yield from range(first, last + 1)


def beside(properties: Mapping[str, str]) -> dict[str, int]:
    """Files that a version reads besides those its log adds up to: keys with sizes in bytes."""
    text = properties.get(OVERLAY)
    if not text:
        return {}
    overlay = json.loads(text)
    return {overlay["key"]: overlay["bytes"]}


def read_lifetimes(reader: LogReader, prefix: str, newest: LogState) -> Lifetimes:
    """The lifetimes of a table's files up to its newest state."""
    earliest = reader.earliest()
    replay = Replay(prefix)
    at: dict[int, datetime] = {}
    began: dict[str, int] = {}
    ended: dict[str, list[tuple[int, int]]] = {}
    sizes: dict[str, int] = {}
    if earliest > 0:
        state = reader.open_version(earliest, newest.version)
        at[earliest] = state.updated_at
        replay = Replay.of(state, prefix)
        named = {file.key: file.bytes for file in state.files.values()} | beside(state.metadata.properties)
        _step(named, (), earliest, began, ended, sizes)
    for version, actions in reader.commits(replay.version + 1, until=newest.version):
        before = _beside(replay)
        replay.apply(version, actions)
        at[version] = datetime.fromtimestamp(replay.milliseconds / 1000, UTC)
        after = _beside(replay)
        added = {join(prefix, unquote(each["add"]["path"])): each["add"]["size"] for each in actions if "add" in each}
        removed = {join(prefix, unquote(each["remove"]["path"])) for each in actions if "remove" in each}
        if added or removed or before != after:
            _step(added | after, removed | (before.keys() - after.keys()), version, began, ended, sizes)
    for key, first in began.items():
        ended.setdefault(key, []).append((first, newest.version))
    return Lifetimes(earliest, newest.version, at, ended, sizes, newest.metadata.properties)


def _beside(replay: Replay) -> dict[str, int]:
    return beside(replay.metadata.properties) if replay.metadata is not None else {}


def _step(
    named: Mapping[str, int],
    dropped: Iterable[str],
    version: int,
    began: dict[str, int],
    ended: dict[str, list[tuple[int, int]]],
    sizes: dict[str, int],
) -> None:
    for key in dropped:
        if key in began and key not in named:
            ended.setdefault(key, []).append((began.pop(key), version - 1))
    for key, size in named.items():
        began.setdefault(key, version)
        sizes[key] = size
