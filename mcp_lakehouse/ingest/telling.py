"""What a load tells besides its counts: rows that stay beside new ones, that went, or were there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcp_lakehouse.catalog.catalog import Dataset, changes
from mcp_lakehouse.ingest.files import SourceFile
from mcp_lakehouse.records import InferredColumn, IngestReport

# Commits looked through for the last change of data; property changes lie between.
RECENT = 50
_NAMED = 3


def some(names: Sequence[str]) -> str:
    """A few of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def replaced(present: Dataset) -> str:
    """All earlier rows are gone."""
    return f"the {present.snapshot.rows:,} rows of v{present.snapshot.version} were replaced"


def loaded_once(contents: Mapping[SourceFile, str], loaded: Sequence[SourceFile]) -> list[str]:
    """Of these files some hold the same bytes; of each content the first is loaded."""
    first = {contents[file]: file.name for file in loaded}
    same = [
        (file.name, first[content]) for file, content in contents.items() if content in first and file not in loaded
    ]
    if not same:
        return []
    one = f"{same[0][0]} holds the same bytes as {same[0][1]}"
    return [one + (f" (and {len(same) - 1:,} more of that kind)" if len(same) > 1 else "") + ": loaded once"]


def sources_stay(sources: Sequence[str]) -> list[str]:
    """Of these documents an earlier text is still there."""
    if not sources:
        return []
    were, its = ("was", "its") if len(sources) == 1 else ("were", "their")
    return [
        f"{some(sources)} {were} loaded before with other content; {its} earlier text is still there beside the new "
        "one. mode='upsert' replaces it"
    ]


def files_stay(present: Dataset, names: Sequence[str]) -> list[str]:
    """Of files of these names that were loaded one by one, rows are still there."""
    before = [entry for entry in present.lineage(RECENT) if entry.source in names]
    if not before:
        return []
    return [
        f"{before[0].source} was loaded before (at {before[0].at}) with other content; its rows are still there. "
        + (
            "mode='upsert' replaces them"
            if present.kind == "documents"
            else "mode='replace', or mode='upsert' with a key, would change them"
        )
    ]


def superseded(gone: int, elsewhere: Sequence[tuple[str, str]]) -> list[str]:
    """Rows that an upsert of documents took away, and sources that it may have meant under another name."""
    notes = [f"{gone:,} rows of the documents' earlier text are gone, with no new ones in their place"] if gone else []
    notes += [
        f"{name!r} was added beside {other!r}: a document is known by its path below the folder that was loaded"
        for name, other in elsewhere
    ]
    return notes


def left_out_then(present: Dataset, mode: str) -> str:
    """What the load that brought the same bytes could not read; an append tries those files again."""
    last = next(iter(changes(present.table.history(RECENT))), None)
    return "" if mode == "append" or last is None else last.get("left_out", "")


def unchanged(present: Dataset, version: int, mode: str, left_out: str = "") -> IngestReport:
    """The same bytes again: nothing was written, but for a description."""
    notes = [
        "these bytes are in the dataset already; "
        + ("nothing was written" if version == present.snapshot.version else "only its description changed")
    ]
    if left_out:
        notes.append(f"left out then, because it could not be read: {left_out}")
    if mode == "append" and present.kind == "documents" and _upserted(present):
        notes.append("where a later load replaced their text, mode='upsert' brings it back")
    return IngestReport(
        dataset=present.name,
        version=version,
        rows_added=0,
        rows_updated=0,
        rows_rejected=0,
        unchanged=True,
        inferred=[InferredColumn(column.name, column.type) for column in present.snapshot.columns],
        notes=notes,
    )


def _upserted(present: Dataset) -> bool:
    return any(change.get("operation") == "upsert" for change in changes(present.table.history(RECENT)))
