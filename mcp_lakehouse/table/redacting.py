"""Taking things out of a table's log for good: the one exception to its never changing.

Every version keeps its record and its number, so writers and readers that hold an old state go on as before. A
record that loses something is replaced whole, checkpoints are made anew.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import unquote

from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table.log import Action, join
from mcp_lakehouse.table.overlay import OVERLAY
from mcp_lakehouse.table.reading import LogReader, write_checkpoint

# What is left of a version's actions.
Redaction = Callable[[int, Sequence[Action]], Sequence[Action]]
FORGOTTEN = "(forgotten)"
# Files of the log that say again what the records and checkpoints say, and may all be missing.
_REPEATED = re.compile(r"(\d{20})\.(?:crc|(?:\d{20}\.)?compacted\.json)$|\.checkpoint\.[^/]*$|/_sidecars/")


def redact(bucket: Bucket, prefix: str, reader: LogReader, until: int, change: Redaction) -> int:
    """Change the records up to a version; returns how many were. What repeats them is made anew."""
    changed = 0
    for version, actions in reader.commits(reader.earliest(), until=until):
        left = change(version, actions)
        if list(left) != list(actions):
            bucket.write(reader.key(version), _lines(left))
            changed += 1
    # Also where nothing changed: an earlier attempt may have been broken off before this.
    _renew_checkpoints(bucket, prefix, reader, until)
    return changed


def without_bounds(prefix: str, keys: Collection[str], words: Collection[str]) -> Redaction:
    """Takes least and greatest values of these files, and these words (names of sources) wherever they are told."""

    def change(_version: int, actions: Sequence[Action]) -> Sequence[Action]:
        return [_redacted(action, prefix, keys, words) for action in actions]

    return change


def bare(stub: str) -> Redaction:
    """Leaves of a version when it was and what kind of change it was; the first one describes an empty table.

    `stub`: the schema of that table, as the log writes schemas.
    """

    def change(version: int, actions: Sequence[Action]) -> Sequence[Action]:
        left: list[Action] = []
        for action in actions:
            if "commitInfo" in action:
                told = action["commitInfo"]
                left.append({"commitInfo": {name: told[name] for name in _TOLD if name in told}})
            elif "protocol" in action:
                left.append(action)
            elif "metaData" in action and version == 0:
                left.append({"metaData": {**action["metaData"], "schemaString": stub, "configuration": {}} | _NAMELESS})
        return left or [{"commitInfo": {"timestamp": 0}}]

    return change


_TOLD = ("timestamp", "inCommitTimestamp", "operation", "txnId", "engineInfo")
_NAMELESS: Any = {"name": None, "description": None}


def _redacted(action: Action, prefix: str, keys: Collection[str], words: Collection[str]) -> Action:
    for kind in ("add", "remove"):
        if kind in action and action[kind].get("stats") and join(prefix, unquote(action[kind]["path"])) in keys:
            stats = json.loads(action[kind]["stats"])
            left = {"numRecords": stats["numRecords"]} if "numRecords" in stats else {}
            if left != stats:
                return {**action, kind: {**action[kind], "stats": json.dumps(left, separators=(",", ":"))}}
    if "metaData" in action:
        return _without_overlay_bounds(action, keys)
    told = action.get("commitInfo", {}).get("lakehouse")
    if told and words:
        left = {name: _without(value, words) if isinstance(value, str) else value for name, value in told.items()}
        if left != told:
            return {**action, "commitInfo": {**action["commitInfo"], "lakehouse": left}}
    return action


def _without_overlay_bounds(action: Action, keys: Collection[str]) -> Action:
    configuration = action["metaData"].get("configuration") or {}
    overlay = json.loads(configuration.get(OVERLAY) or "{}")
    if overlay.get("key") not in keys or not overlay.get("statistics"):
        return action
    left = {**configuration, OVERLAY: json.dumps({**overlay, "statistics": {}}, separators=(",", ":"))}
    return {**action, "metaData": {**action["metaData"], "configuration": left}}


def _without(text: str, words: Collection[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, FORGOTTEN)
    return text


def _renew_checkpoints(bucket: Bucket, prefix: str, reader: LogReader, until: int) -> None:
    repeated = [key for key in reader.log_files() if _REPEATED.search(key) and _version_of(key) <= until]
    if not repeated:
        return
    whole = bucket.exists(reader.key(0))
    if whole:
        # First the pointer: what it names is to be there.
        bucket.delete([reader.pointer])
        bucket.delete(repeated)
    # A log without its beginning cannot do without one; else it only saves time, and comes with later commits.
    with contextlib.suppress(Exception) if whole else contextlib.nullcontext():
        write_checkpoint(bucket, prefix)
    if not whole:
        newest = max((_version_of(key) for key in reader.log_files() if ".checkpoint." in key), default=-1)
        bucket.delete(key for key in repeated if _version_of(key) != newest)


def _version_of(key: str) -> int:
    found = re.search(r"/(\d{20})\.", key)
    return int(found[1]) if found else -1


def _lines(actions: Sequence[Action]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in actions)
