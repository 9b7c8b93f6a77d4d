"""The parent's side of upserts and deletions by key: what a worker is told of a version, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.ingest.loaded import Loaded, joined, staged
from mcp_lakehouse.limits import IngestLimits
from mcp_lakehouse.records import IngestReport
from mcp_lakehouse.table import DataFile, OverlayRows, Table, TableColumn
from mcp_lakehouse.worker.channel import Message

_NONE: Mapping[str, Any] = MappingProxyType({})


def stored(present: Dataset | None) -> tuple[Message, Mapping[str, DataFile]]:
    """A version's files as `keyed` and `rewrite` ask for them, and the data files by their paths."""
    if present is None:
        return {"existing": []}, {}
    snapshot = present.snapshot
    paths = [str(path) for path in present.home.copies.paths(snapshot.stored)]
    files = dict(zip(paths, snapshot.files, strict=False))
    told: Message = {"existing": list(files), "rows": [file.rows for file in snapshot.files]}
    overlay = snapshot.overlay
    if overlay is not None:
        told["overlay"] = {
            "path": paths[-1],
            "by": list(overlay.content.by),
            "rows": overlay.rows,
            "upserted": overlay.content.upserted,
            "deleted": overlay.content.deleted,
            "shadowed": overlay.content.shadowed,
            "after": [path for path, file in files.items() if file.key in overlay.after],
        }
    return told, files


def allowance(present: Dataset | None, key: Sequence[str], mode: str, limits: IngestLimits) -> Message:
    """How large an overlay may be that goes by this key (0 where there may be none), and when one is begun."""
    if present is None or present.kind != "table" or (list(key) != present.key and (present.key or mode == "delete")):
        return {"overlay_rows": 0}
    share = int(present.snapshot.rows * limits.overlay_share)
    return {"overlay_rows": min(limits.overlay_rows, share), "overlay_from": limits.overlay_from_rows}


def wanted_key(given: Sequence[str] | None, present: Dataset | None, mode: str) -> list[str]:
    """The key that rows are known by. Raises `InvalidInput` where there is none."""
    key = list(given or (present.key if present else []))
    if not key:
        raise InvalidInput(f"mode={mode!r} needs a key", hint="give key=[columns that identify a row]")
    return key


def by_key(loaded: Loaded, answer: Message, files: Mapping[str, DataFile], *, base: int, deletes: bool) -> Loaded:
    """What a worker's answer to `rewrite` makes of a load over version `base`."""
    replaced, laid = answer["replaced"], answer["overlay"]
    kept = [staged(each["file"]) for each in replaced if each["file"] is not None]
    notes = [*loaded.notes, *answer["notes"]]
    updated, gone = answer["updated"], answer["gone"]
    if not deletes and gone > updated:
        keys = f"{gone:,} rows had the {updated:,} updated keys"
        notes.append(f"{keys}: the key was not unique, one row of each is left")
    if deletes and answer["unknown"]:
        notes.append(f"{answer['unknown']:,} keys of the source have no row in the dataset")
    overlay = None
    if laid is not None:
        content = OverlayRows(tuple(laid["by"]), laid["upserted"], laid["deleted"], laid["shadowed"])
        overlay = staged(laid["file"]), content
    return replace(
        loaded,
        files=[*kept, *(staged(file) for file in answer["incoming"])],
        rows=answer["inserted"],
        updated=0 if deletes else updated,
        deleted=gone if deletes else 0,
        rejected=loaded.rejected + answer["rejected"],
        rejects=joined(loaded.rejects, answer["rejects"]),
        notes=notes,
        base=base,
        removed=[files[each["path"]].key for each in replaced],
        overlay=overlay,
        keeps_overlay=answer["keeps_overlay"] and overlay is None,
    )


def nothing_deleted(report: IngestReport) -> IngestReport:
    """The report of a deletion that found no row."""
    return replace(report, rows_added=0, rows_updated=0, rows_deleted=0, unchanged=True)


def commit(
    table: Table,
    loaded: Loaded,
    present: Dataset,
    info: Mapping[str, str],
    *,
    description: str | None,
    columns: Sequence[TableColumn] | None = None,
    properties: Mapping[str, str | None] = _NONE,
    transactions: Mapping[str, int] = _NONE,
) -> int:
    """Commit what was worked out over the present version: an overlay, or other files in the place of some."""
    at_version = present.snapshot.version
    if loaded.overlay is not None:
        return table.lay_over(
            *loaded.overlay,
            at_version=at_version,
            info=info,
            transactions=transactions,
            columns=columns,
            properties=properties,
            description=description,
        )
    return table.rewrite(
        loaded.removed,
        loaded.files,
        at_version=at_version,
        info=info,
        transactions=transactions,
        columns=columns,
        properties=properties,
        description=description,
    )
