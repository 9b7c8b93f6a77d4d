"""What `changes(…)` shows: the rows in which two versions of a dataset differ, as SQL."""

from __future__ import annotations

from collections.abc import Sequence

from mcp_lakehouse.sql.sources import Columns, Selected, Source
from mcp_lakehouse.sql.values import literal, quote
from mcp_lakehouse.worker.channel import Message

# What is said of each row: its kind of change, and the versions it lies between.
CHANGE, FROM, TO = "change", "from_version", "to_version"


def feed_columns(columns: Columns) -> list[list[str]]:
    """The columns of the feed of a dataset with these columns; names that are taken get an underscore before them."""
    return [[name, type_] for name, type_ in zip(_own_names(columns), ("VARCHAR", "BIGINT", "BIGINT"), strict=True)] + [
        [name, type_] for name, type_ in columns
    ]


def changed_rows(older: Source, newer: Source, definition: Message, selected: Selected) -> str:
    """A SELECT of the rows that `newer` has and `older` has not, and the other way round, each as often as it is.

    `older` has the columns of `newer`. With a `key`, a row that went and one that came with the same key are an
    update. Files that both have are read only where an overlay may make a difference.
    """
    same = set(older.files) & set(newer.files)
    names = ", ".join(quote(column) for column, _ in newer.columns)
    before, after = (_differing(source, other, same, selected) for source, other in ((older, newer), (newer, older)))
    change, start, end = map(quote, _own_names(newer.columns))
    between = f"{definition['from']}::BIGINT AS {start}, {definition['version']}::BIGINT AS {end}, {names}"
    keys = ", ".join(map(quote, definition["key"]))
    if keys:
        selects = [
            f"SELECT {literal(kind)} AS {change}, {between} FROM {rows} {join} JOIN {others} USING ({keys})"
            for kind, rows, join, others in (
                ("delete", "gone", "ANTI", "come"),
                ("update_before", "gone", "SEMI", "come"),
                ("update_after", "come", "SEMI", "gone"),
                ("insert", "come", "ANTI", "gone"),
            )
        ]
    else:
        selects = [
            f"SELECT {literal(kind)} AS {change}, {between} FROM {rows}"
            for kind, rows in (("delete", "gone"), ("insert", "come"))
        ]
    # As often as a row is there, it must have been there: equal rows cancel out one by one.
    return (
        f"WITH before AS MATERIALIZED ({before}), after AS MATERIALIZED ({after}), "
        "gone AS MATERIALIZED (FROM before EXCEPT ALL FROM after), "
        "come AS MATERIALIZED (FROM after EXCEPT ALL FROM before) " + " UNION ALL ".join(selects)
    )


def _own_names(columns: Columns) -> list[str]:
    taken = {name.casefold() for name, _ in columns}
    names = []
    for name in (CHANGE, FROM, TO):
        while name in taken:
            name = f"_{name}"
        names.append(name)
    return names


def _differing(source: Source, other: Source, same: set[str], selected: Selected) -> str:
    """The rows of a version that the other one may not have."""
    overlays = [each for each in (source, other) if each.overlay is not None]
    equal = source.overlay == other.overlay or (
        source.overlay is not None
        and other.overlay is not None
        and source.overlay["file"] == other.overlay["file"]
        and _reached(source, same) == _reached(other, same)
    )
    own = [number for number, file in enumerate(source.files) if file not in same]
    selects = source.base(selected, own)
    if not equal:
        shared = [number for number, file in enumerate(source.files) if file in same]
        selects += _named(source, shared, overlays, selected)
        if source.overlay is not None:
            selects.append(source.laid(selected))
    return " UNION ALL ".join(selects) or source.nothing()


def _named(source: Source, shared: Sequence[int], overlays: Sequence[Source], selected: Selected) -> list[str]:
    """Rows of files that both versions have, with a key of one of the overlays: the others are the same in both."""
    if not shared:
        return []
    rows = " UNION ALL ".join(source.base(selected, shared))
    by = {tuple(each.overlay["by"]) for each in overlays if each.overlay is not None}
    if len(by) > 1:
        return [rows]
    keys = ", ".join(map(quote, next(iter(by))))
    theirs = " UNION ".join(each.keys(selected) for each in overlays)
    return [f"SELECT * FROM ({rows}) SEMI JOIN ({theirs}) USING ({keys})"]


def _reached(source: Source, same: set[str]) -> set[str]:
    assert source.overlay is not None
    after = set(source.overlay["after"])
    return {file for number, file in enumerate(source.files) if number not in after and file in same}
