"""The overlay of a version: newer rows and deletions by key in one small file, named by a property of the table.

The property is set by a commit like any other, so an overlay has the version numbers, the conflicts, the time
travel and the restoration of the table itself. Other engines do not know it: they see the base.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from mcp_lakehouse.errors import UnsupportedLake
from mcp_lakehouse.table.log import join
from mcp_lakehouse.table.values import DataFile, Overlay, OverlayRows

# The property that holds it.
OVERLAY = "lakehouse.overlay"
# Other engines leave folders alone whose names begin like this, also where they clean up a table's folder.
FOLDER = "_overlay"
# A column of the file besides the table's: whether the row says no more than that its key is gone.
DELETED = "lakehouse deleted"


def is_overlay(key: str) -> bool:
    """Whether a file of a table is an overlay, by its key."""
    return f"/{FOLDER}/" in f"/{key}"


def read_overlay(text: str | None, prefix: str) -> Overlay | None:
    """The overlay that a property's value tells of. `prefix` is the table's folder. Raises `UnsupportedLake`."""
    if not text:
        return None
    try:
        told = json.loads(text)
        return Overlay(
            key=told["key"],
            bytes=told["bytes"],
            content=OverlayRows(
                by=tuple(told["by"]),
                upserted=told["upserted"],
                deleted=told["deleted"],
                shadowed=told["shadowed"],
            ),
            statistics=told.get("statistics") or {},
            after=frozenset(join(prefix, path) for path in told.get("after") or ()),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnsupportedLake(
            f"the property {OVERLAY} of {prefix!r} is damaged or of a newer kind",
            hint="upgrade mcp-lakehouse, or restore a version before it",
        ) from error


def written(overlay: Overlay, prefix: str) -> str:
    """The property's value."""
    told = {
        "key": overlay.key,
        "bytes": overlay.bytes,
        "rows": overlay.rows,
        "by": list(overlay.content.by),
        "upserted": overlay.content.upserted,
        "deleted": overlay.content.deleted,
        "shadowed": overlay.content.shadowed,
        # Those that widening a column asks for.
        "statistics": {name: told for name, told in overlay.statistics.items() if isinstance(told.get("min"), int)},
        "after": sorted(key[len(prefix) + 1 :] if prefix else key for key in overlay.after),
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def visible_rows(files: Iterable[DataFile], overlay: Overlay | None) -> int:
    """How many rows a reader of a version sees."""
    stored = sum(file.rows for file in files)
    return stored if overlay is None else stored - overlay.content.shadowed + overlay.content.upserted
