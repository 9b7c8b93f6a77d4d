"""What a worker has staged of a load, between reading and committing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_lakehouse.ingest.files import SourceFile
from mcp_lakehouse.table import ABSENT, OverlayRows, StagedFile
from mcp_lakehouse.worker.channel import Message


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker staged, ready to be committed; of kind "" where it could read none of the files."""

    columns: list[list[str]]
    files: list[StagedFile]
    rows: int
    updated: int
    rejected: int
    rejects: Path | None
    kind: str
    notes: list[str]
    # Files that could not be read, of those it was given.
    left_out: list[SourceFile]
    # Upserts only: the version they were worked out for, and its files that are rewritten.
    base: int
    removed: list[str]
    # An upsert that replaced whole documents.
    by_source: bool = False
    # Rows that a deletion takes away.
    deleted: int = 0
    # The overlay to come, in the place of any other; where it is to stay as it is, the new files only come beside it.
    overlay: tuple[StagedFile, OverlayRows] | None = None
    keeps_overlay: bool = False


def staged(file: Message) -> StagedFile:
    """A file as a worker describes it."""
    return StagedFile(Path(file["path"]), file["bytes"], file["rows"], file["statistics"])


def as_staged(answer: Message, files: Sequence[SourceFile]) -> Loaded:
    """The answer to `load`, which was asked for these files."""
    return Loaded(
        columns=answer["columns"],
        files=[staged(file) for file in answer["files"]],
        rows=answer["rows"],
        updated=0,
        rejected=answer["rejected"],
        rejects=Path(answer["rejects"]) if answer["rejects"] else None,
        kind=answer["kind"],
        notes=answer["notes"],
        left_out=[files[number] for number in answer["left_out"]],
        base=ABSENT,
        removed=[],
    )


def joined(first: Path | None, second: str | None) -> Path | None:
    """Two logs of rejected rows as one."""
    if first is None or second is None:
        return first or (Path(second) if second else None)
    with first.open("ab") as target:
        target.write(Path(second).read_bytes())
    return first


def reject_records(path: Path, load: str, dataset: str) -> list[dict[str, object]]:
    """The rejected rows in a log, as `system.rejects` keeps them."""
    now = datetime.now(UTC).isoformat()
    with path.open(encoding="utf-8") as lines:
        kept = (json.loads(line) for line in lines)
        return [
            {"load": load, "dataset": dataset, "time": now, "column_name": record.pop("column", None), **record}
            for record in kept
        ]
