"""Listing and removing what lies in a folder of a bucket."""

from __future__ import annotations

from collections.abc import Iterable

from mcp_lakehouse.store import Bucket, ObjectInfo
from mcp_lakehouse.table import is_overlay

# Keys of one request to delete.
_BATCH = 500


def listed(bucket: Bucket, prefix: str) -> dict[str, ObjectInfo]:
    """The objects below a folder but those whose names say that they are not data, as the log's."""
    start = len(prefix) + 1
    return {
        info.key: info
        for info in bucket.list(prefix)
        if is_overlay(info.key) or not any(part.startswith(("_", ".")) for part in info.key[start:].split("/"))
    }


def remove(bucket: Bucket, keys: Iterable[str]) -> int:
    """Remove objects; returns how many keys there were. Broken off, those that are left are removed next time."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _BATCH):
        bucket.delete(wanted[start : start + _BATCH])
    return len(wanted)
