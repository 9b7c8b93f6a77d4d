"""What each kind of commit does on top of a state. Pure: a state in, a draft out, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcp_lakehouse.errors import Conflict, NotFound
from mcp_lakehouse.table.actions import Draft, changed_metadata, new_metadata
from mcp_lakehouse.table.evolution import evolve, exact_in_double
from mcp_lakehouse.table.log import LogState
from mcp_lakehouse.table.overlay import OVERLAY, read_overlay
from mcp_lakehouse.table.protocol import OURS, check_columns, check_readable, check_writable
from mcp_lakehouse.table.retired import OF_THE_TABLE
from mcp_lakehouse.table.values import TableColumn


@dataclass(frozen=True, slots=True)
class Change:
    """What a caller says about a commit besides its files. `None` leaves a thing as it is."""

    info: Mapping[str, str]
    description: str | None = None
    properties: Mapping[str, str | None] = field(default_factory=dict)


def created(columns: Sequence[TableColumn], change: Change) -> Draft:
    """Version 0."""
    metadata = new_metadata(columns, change.description, change.properties)
    check_columns(metadata, OURS)
    return Draft("CREATE TABLE AS SELECT", change.info, metadata=metadata, creates=True)


def appended(state: LogState, columns: Sequence[TableColumn], change: Change, name: str) -> Draft:
    """More rows; the columns grow as far as that loses nothing. Raises `SchemaMismatch`."""
    check_readable(state, name)
    check_writable(state, name, removes=False)
    return _changing(state, Draft("WRITE", change.info), _evolved(state, columns, name), change)


def replaced(state: LogState, columns: Sequence[TableColumn], change: Change, name: str) -> Draft:
    """Other rows and other columns."""
    check_readable(state, name)
    check_writable(state, name, removes=True)
    draft = Draft("REPLACE TABLE AS SELECT", change.info, removed=tuple(state.files.values()))
    return _changing(state, draft, columns, _folding(change))


def rewritten(
    state: LogState,
    remove: Iterable[str],
    columns: Sequence[TableColumn] | None,
    change: Change,
    name: str,
    *,
    data_change: bool,
) -> Draft:
    """Other files in the place of some and of the overlay. Raises `Conflict` if one of those is not there any more."""
    check_readable(state, name)
    check_writable(state, name, removes=data_change)
    present = {file.key: file for file in state.files.values()}
    gone = [key for key in remove if key not in present]
    if gone:
        raise Conflict(
            f"table {name!r} has changed: {gone[0]} is not part of it any more", hint="read it again and redo the work"
        )
    removed = tuple(present[key] for key in dict.fromkeys(remove))
    operation = "WRITE" if data_change else "OPTIMIZE"
    # Who does not know the overlay sees other rows when it is folded, although nobody else does.
    folds = bool(state.metadata.properties.get(OVERLAY))
    draft = Draft(operation, change.info, removed=removed, data_change=data_change or folds)
    merged = None if columns is None else _evolved(state, columns, name)
    return _changing(state, draft, merged, _folding(change))


def laid_over(state: LogState, columns: Sequence[TableColumn] | None, change: Change, name: str) -> Draft:
    """Rows and deletions in a new overlay, or in none; the files stay."""
    check_readable(state, name)
    check_writable(state, name, removes=True)
    merged = None if columns is None else _evolved(state, columns, name)
    return _changing(state, Draft("WRITE", change.info), merged, _folding(change))


def described(state: LogState, change: Change, name: str) -> Draft:
    """Another description, other properties, the same rows."""
    check_writable(state, name, removes=False)
    return _changing(state, Draft("SET TBLPROPERTIES", change.info), None, change)


def restored(state: LogState, old: LogState, change: Change, name: str) -> Draft:
    """An older version's rows, columns, description and properties."""
    check_readable(state, name)
    check_readable(old, name)
    check_writable(state, name, removes=True)
    kept = {name: state.metadata.properties.get(name) for name in OF_THE_TABLE}
    metadata = changed_metadata(old.metadata, None, change.description, {**kept, **change.properties})
    check_columns(metadata, state.protocol)
    return Draft(
        "RESTORE",
        change.info,
        metadata=None if metadata.raw == state.metadata.raw else metadata,
        removed=tuple(file for file_id, file in state.files.items() if file_id not in old.files),
        restored=tuple(file for file_id, file in old.files.items() if file_id not in state.files),
    )


def existing(state: LogState | None, name: str) -> LogState:
    """The state of a table that is there. Raises `NotFound`."""
    if state is None:
        raise NotFound(f"there is no table {name!r}", hint="load data into it first")
    return state


def _folding(change: Change) -> Change:
    """The change, without an overlay after it."""
    return replace(change, properties={**change.properties, OVERLAY: None})


def _evolved(state: LogState, columns: Sequence[TableColumn], name: str) -> tuple[TableColumn, ...]:
    current = state.metadata.columns
    overlay = read_overlay(state.metadata.properties.get(OVERLAY), name)
    files = [*state.files.values(), *([overlay.file] if overlay is not None else [])]
    return evolve(current, columns, exact_in_double(current, files))


def _changing(state: LogState, draft: Draft, columns: Sequence[TableColumn] | None, change: Change) -> Draft:
    metadata = changed_metadata(state.metadata, columns, change.description, change.properties)
    check_columns(metadata, state.protocol)
    return draft if metadata is state.metadata else replace(draft, metadata=metadata)
