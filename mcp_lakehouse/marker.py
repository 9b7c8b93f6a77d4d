"""A lake's marker, which says what format it has, and where this machine keeps its disposable state."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from mcp_lakehouse.catalog.catalog import timestamp
from mcp_lakehouse.errors import LakehouseError, NotFound, StorageFailed, UnsupportedLake
from mcp_lakehouse.settings import Settings
from mcp_lakehouse.store import Bucket

FORMAT = 1
CACHE_HINT = "set LAKEHOUSE_CACHE to a folder that this user can write to, on a disk with room"
_MARKER = "_lakehouse.json"
# What lies beside the marker and is the lake's own.
PARTS = frozenset((_MARKER, "tables", "index", "system", "pins", "_errors", "_cache"))


def is_lake(names: Collection[str]) -> bool:
    """Whether these are the names in a lake's folder."""
    return _MARKER in names


def cache_folder(bucket: Bucket, settings: Settings) -> Path:
    """Disposable local state: in the lake's own folder where that is writable, else in the user's cache."""
    given = settings.text("cache")
    local = bucket.local_path("_cache")
    if given:
        folder = Path(given).expanduser().resolve()
    elif local is not None and os.access(local if local.exists() else local.parent, os.W_OK):
        folder = local
    else:
        own = user_cache()
        if own is None:
            raise StorageFailed("there is no home folder to keep local state in", hint=CACHE_HINT)
        folder = own / hashlib.sha256(bucket.url.encode()).hexdigest()[:16]
    return folder


def user_cache() -> Path | None:
    """Where this user keeps what is the same for every lake, such as converted models; `None` without a home."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return base / "mcp-lakehouse" if base.is_absolute() else None


def check_marker(bucket: Bucket, *, read_only: bool) -> None:
    """Make the marker where there is none. Raises `UnsupportedLake` for a damaged one or a newer format."""
    try:
        marker = json.loads(bucket.read(_MARKER))
        found = int(marker["format"])
    except NotFound:
        if not read_only:
            content = {"format": FORMAT, "created_at": timestamp(datetime.now(UTC))}
            with contextlib.suppress(LakehouseError):
                bucket.write(_MARKER, json.dumps(content).encode(), if_absent=True)
        return
    except (ValueError, KeyError, TypeError) as error:
        raise UnsupportedLake(
            f"{bucket.url}/{_MARKER} is damaged", hint=f'write {{"format": {FORMAT}}} into it, or restore it'
        ) from error
    if found > FORMAT:
        raise UnsupportedLake(
            f"the lake at {bucket.url} has format {found}; this version knows up to {FORMAT}",
            hint="upgrade mcp-lakehouse",
        )
