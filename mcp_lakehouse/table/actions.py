"""One commit as the lines of its log file."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.table.log import Action, LogState, Metadata, is_exact
from mcp_lakehouse.table.protocol import OURS
from mcp_lakehouse.table.schema import schema_string
from mcp_lakehouse.table.values import DataFile, TableColumn

_ENGINE = "mcp-lakehouse"


@dataclass(frozen=True, slots=True)
class Draft:
    """What one commit is to do besides adding files. `metadata` is set where it changes; `creates` for version 0."""

    operation: str
    info: Mapping[str, str]
    metadata: Metadata | None = None
    removed: Sequence[DataFile] = ()
    restored: Sequence[DataFile] = ()
    creates: bool = False
    data_change: bool = True


def commit_bytes(
    draft: Draft, added: Sequence[DataFile], transactions: Mapping[str, int], state: LogState | None, prefix: str
) -> bytes:
    """The log file of a commit on top of `state`. Its time is later than that of `state`, whatever the clock says."""
    now = max(int(time.time() * 1000), state.milliseconds + 1 if state else 0)
    files = [*draft.restored, *added]
    told = {
        "timestamp": now,
        "operation": draft.operation,
        "operationParameters": {},
        "operationMetrics": {
            "numFiles": str(len(files)),
            "numRemovedFiles": str(len(draft.removed)),
            "numOutputRows": str(sum(file.rows for file in files)),
        },
        "engineInfo": _ENGINE,
        # Makes every commit's bytes its own, so that a writer can tell whether it was the one that won.
        "txnId": str(uuid4()),
        "lakehouse": dict(draft.info),
    }
    lines: list[Action] = [{"commitInfo": told}]
    if draft.creates:
        lines.append({"protocol": OURS})
    if draft.metadata is not None:
        lines.append({"metaData": draft.metadata.raw})
    metadata = draft.metadata or (state.metadata if state else None)
    assert metadata is not None, "a table is created with its metadata"
    lines += (
        {"txn": {"appId": app_id, "version": version, "lastUpdated": now}} for app_id, version in transactions.items()
    )
    lines += (_remove(file, prefix, now, draft.data_change) for file in draft.removed)
    lines += (_add(file, prefix, now, draft.data_change, metadata) for file in files)
    return b"".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for line in lines)


def txn_id(data: bytes) -> str | None:
    """The id that tells a commit's record from every other one."""
    with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
        found: str = json.loads(data.split(b"\n", 1)[0])["commitInfo"]["txnId"]
        return found
    return None


def new_metadata(
    columns: Sequence[TableColumn], description: str | None, properties: Mapping[str, str | None]
) -> Metadata:
    """The metadata of a table that does not exist yet."""
    empty = Metadata(
        {
            "id": str(uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": "",
            "partitionColumns": [],
            "configuration": {},
            "createdTime": int(time.time() * 1000),
        }
    )
    return changed_metadata(empty, columns, description, properties)


def changed_metadata(
    metadata: Metadata,
    columns: Sequence[TableColumn] | None,
    description: str | None,
    properties: Mapping[str, str | None],
) -> Metadata:
    """Metadata with new columns, description and properties in place; the same object if nothing changed.

    `None` leaves columns and description as they are; a property of `None` is removed.
    """
    _check_properties(properties)
    raw = dict(metadata.raw)
    if columns is not None and (not raw["schemaString"] or tuple(columns) != metadata.columns):
        raw["schemaString"] = schema_string(columns)
    if description is not None:
        raw["description"] = description
    merged = {**metadata.properties, **properties}
    raw["configuration"] = {name: value for name, value in merged.items() if value is not None}
    return metadata if raw == metadata.raw else Metadata(raw)


def _check_properties(properties: Mapping[str, str | None]) -> None:
    reserved: Iterable[str] = (name for name in properties if name.startswith("delta."))
    for name in reserved:
        raise InvalidInput(
            f"property {name!r} belongs to the table format: setting it could shut other engines out",
            hint="use a name of your own, such as lakehouse.something",
        )


def _add(file: DataFile, prefix: str, now: int, data_change: bool, metadata: Metadata) -> Action:
    return {
        "add": {
            "path": _path(file, prefix),
            "partitionValues": {},
            "size": file.bytes,
            "modificationTime": now,
            "dataChange": data_change,
            "stats": _stats(file, metadata),
        }
    }


def _remove(file: DataFile, prefix: str, now: int, data_change: bool) -> Action:
    return {
        "remove": {
            "path": _path(file, prefix),
            "deletionTimestamp": now,
            "dataChange": data_change,
            "extendedFileMetadata": True,
            "partitionValues": {},
            "size": file.bytes,
        }
    }


def _path(file: DataFile, prefix: str) -> str:
    """The key as the log writes it: relative to the table, URL-encoded."""
    return quote(file.key[len(prefix) + 1 :] if prefix else file.key, safe="/=")


def _stats(file: DataFile, metadata: Metadata) -> str:
    found: dict[str, Any] = {"numRecords": file.rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    for name, values in file.statistics.items():
        kind = metadata.ordered.get(name)
        if is_exact(values.get("min"), kind) and is_exact(values.get("max"), kind):
            found["minValues"][name] = values["min"]
            found["maxValues"][name] = values["max"]
        if name in metadata.flat and isinstance(values.get("nulls"), int):
            found["nullCount"][name] = values["nulls"]
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
