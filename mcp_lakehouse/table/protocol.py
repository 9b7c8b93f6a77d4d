"""What of the table format we read and write. Anything beyond is refused by name, never guessed at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp_lakehouse.errors import InvalidInput, UnsupportedLake
from mcp_lakehouse.table.log import LogState, Metadata, has_deletion_vector

# The widest: every engine reads 1, every engine writes 2. Nothing we do needs more.
OURS: Mapping[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 2}

_READER_VERSION = 3
_PLAIN_WRITER_VERSION = 2
_FEATURES_WRITER_VERSION = 7
# Harmless as long as no file has a deletion vector and no column is mapped, which is checked beside it.
_READABLE = frozenset({"timestampNtz", "deletionVectors", "columnMapping", "typeWidening", "vacuumProtocolCheck"})
_WRITABLE = frozenset(
    {"appendOnly", "invariants", "timestampNtz", "deletionVectors", "columnMapping", "vacuumProtocolCheck"}
)
_NO_ZONE = "timestampNtz"


def check_readable(state: LogState, name: str) -> None:
    """Raise `UnsupportedLake` if a plain scan of the table's files would not give its rows."""
    needed = state.protocol["minReaderVersion"]
    if needed > _READER_VERSION:
        raise UnsupportedLake(
            f"table {name!r} needs a Delta reader of version {needed}; this version knows up to {_READER_VERSION}",
            hint="upgrade mcp-lakehouse",
        )
    unknown = sorted(set(state.protocol.get("readerFeatures") or ()) - _READABLE)
    if unknown:
        raise UnsupportedLake(
            f"table {name!r} uses Delta features this version does not read: {', '.join(unknown)}",
            hint="upgrade mcp-lakehouse, or write the table without them",
        )
    if state.metadata.raw.get("partitionColumns"):
        raise UnsupportedLake(
            f"table {name!r} is partitioned, which this version does not read", hint="rewrite it without partitions"
        )
    if state.metadata.properties.get("delta.columnMapping.mode", "none") != "none":
        raise UnsupportedLake(
            f"table {name!r} maps its column names, which this version does not read",
            hint="rewrite it with delta.columnMapping.mode = none",
        )
    if any(has_deletion_vector(file) for file in state.files):
        raise UnsupportedLake(
            f"table {name!r} has deletion vectors: its files still hold rows that were deleted",
            hint="run OPTIMIZE or REORG TABLE … APPLY (PURGE) in the engine that wrote them",
        )
    if any("://" in path for path, _ in state.files):
        raise UnsupportedLake(f"table {name!r} is a shallow clone of another", hint="make a deep clone of it")


def check_writable(state: LogState, name: str, *, removes: bool) -> None:
    """Raise `UnsupportedLake` if we would break a promise the table makes to other engines."""
    version = state.protocol["minWriterVersion"]
    unknown = sorted(set(state.protocol.get("writerFeatures") or ()) - _WRITABLE)
    if version > _PLAIN_WRITER_VERSION and (version != _FEATURES_WRITER_VERSION or unknown):
        what = ", ".join(unknown) or f"writer version {version}"
        raise UnsupportedLake(
            f"table {name!r} asks its writers for more than this version can do: {what}",
            hint="write it with the engine that made it; reading works",
        )
    if '"delta.invariants"' in state.metadata.raw["schemaString"].replace("\\", ""):
        raise UnsupportedLake(
            f"table {name!r} has column invariants, which this version cannot check",
            hint="write it with the engine that made it; reading works",
        )
    if removes and state.metadata.properties.get("delta.appendOnly", "").lower() == "true":
        raise UnsupportedLake(f"table {name!r} is append-only", hint="append to it, or unset delta.appendOnly")


def check_columns(metadata: Metadata, protocol: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for timestamps without a zone: they would shut other engines out of the table."""
    if _NO_ZONE in (protocol.get("readerFeatures") or ()):
        return
    for column in metadata.columns:
        if "TIMESTAMP" in column.type.replace("TIMESTAMP WITH TIME ZONE", ""):
            raise InvalidInput(
                f"column {column.name!r} has timestamps without a time zone ({column.type})",
                hint="cast it to TIMESTAMP WITH TIME ZONE",
            )
