"""Records on stdout: one JSON value for programs, tables that fit the terminal for people."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from mcp_lakehouse.commands.console import colourful, printable
from mcp_lakehouse.records import Column, Json, to_json

if TYPE_CHECKING:
    from rich.console import Console

_NUMBER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$|FLOAT$|DOUBLE$|DECIMAL\(")
# Below so many characters for a column of text, rows are shown one under the other.
_NARROWEST = 8
# Between columns.
_GAP = 3
# Not a terminal: nothing is folded or cut, except where a glimpse is all that is wanted.
_ENDLESS = 1_000_000
_PAGE = 100


def json_value(record: object) -> None:
    """A record as one line of JSON."""
    print(json.dumps(to_json(record), ensure_ascii=False, separators=(",", ":")))


def facts(names: Mapping[str, bool], records: Sequence[object]) -> None:
    """Attributes (or items) of records as a table; a name that maps to true is a number."""
    columns = [Column(name, "BIGINT" if number else "VARCHAR") for name, number in names.items()]
    rows = [[r[n] if isinstance(r, dict) else getattr(r, n) for n in names] for r in records]
    table(columns, rows, types=False)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Json]], *, types: bool = True, brief: bool = False
) -> None:
    """Rows under their columns; one block for each row where the terminal is too narrow for a table.

    `brief`: no line is longer than the terminal, or than a page where there is none.
    """
    if not columns:
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PAGE if brief else _ENDLESS
    heads = [[printable(column.name), *([column.type.lower()] if types else [])] for column in columns]
    texts = [[cell(value) for value in row] for row in rows]
    numbers = [bool(_NUMBER.match(column.type)) for column in columns]
    widest = _widest(heads, texts, numbers, width)
    if widest is None:
        _blocks([head[0] for head in heads], texts, width if brief else _ENDLESS)
        return
    shape = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, (head, number) in enumerate(zip(heads, numbers, strict=True), 1):
        title = Text(head[0], "bold")
        for kind in head[1:]:
            title.append(f"\n{kind}", "dim not bold")
        limit = None if number else widest
        # Our own texts, which come last, are read whole; data is one line for each row.
        folds = not types and place == len(heads)
        shape.add_column(
            title,
            justify="right" if number else "left",
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
            max_width=limit,
        )
    for row, line in zip(rows, texts, strict=True):
        shape.add_row(*(Text(text, "dim" if value is None else "") for value, text in zip(row, line, strict=True)))
    console = _console(width)
    with console.capture() as drawn:
        console.print(shape)
    # The last column is padded to its width; whoever pipes this on does not want that.
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def _widest(
    heads: Sequence[Sequence[str]], texts: Sequence[Sequence[str]], numbers: Sequence[bool], width: int
) -> int | None:
    """How wide a column of text may be so that the table fits; numbers are never cut. `None` where it cannot fit."""
    from rich.cells import cell_len

    natural = [
        max([*map(cell_len, head), *(cell_len(line[place]) for line in texts)]) for place, head in enumerate(heads)
    ]
    room = width - _GAP * (len(heads) - 1)
    fixed = sum(size for size, number in zip(natural, numbers, strict=True) if number)
    flexible = [size for size, number in zip(natural, numbers, strict=True) if not number]
    fits = (
        widest
        for widest in range(max(_NARROWEST, *natural), _NARROWEST - 1, -1)
        if fixed + sum(min(size, widest) for size in flexible) <= room
    )
    return next(fits, None)


def cell(value: Json) -> str:
    """A value as text on one line."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))


def _blocks(names: Sequence[str], texts: Sequence[Sequence[str]], width: int) -> None:
    from rich.text import Text

    longest = max(map(len, names))
    for number, line in enumerate(texts, 1):
        print(f"-- row {number}")
        for name, text in zip(names, line, strict=True):
            shown = Text(f"{name:<{longest}}  {text}")
            shown.truncate(width, overflow="ellipsis")
            print(shown.plain)


def _console(width: int) -> Console:
    from rich.console import Console

    colours: Literal["auto"] | None = "auto" if colourful(sys.stdout) else None
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, color_system=colours)
