"""Records on stdout: one JSON value for programs, tables that fit the terminal for people."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mcp_lakehouse.commands.console import colourful, printable
from mcp_lakehouse.records import Column, Json, to_json

if TYPE_CHECKING:
    from rich.console import Console

_NUMBER = re.compile(r"U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$|FLOAT$|DOUBLE$|DECIMAL\(")
# Below so many characters for each column, rows are shown one under the other.
_NARROWEST = 6
# Not a terminal: nothing is folded or cut.
_ENDLESS = 1_000_000


def json_value(record: object) -> None:
    """A record as one line of JSON."""
    print(json.dumps(to_json(record), ensure_ascii=False, separators=(",", ":")))


def facts(names: Mapping[str, bool], records: Sequence[object]) -> None:
    """Attributes (or items) of records as a table; a name that maps to true is a number."""
    columns = [Column(name, "BIGINT" if number else "VARCHAR") for name, number in names.items()]
    rows = [[r[n] if isinstance(r, dict) else getattr(r, n) for n in names] for r in records]
    table(columns, rows, types=False)


def table(columns: Sequence[Column], rows: Sequence[Sequence[Json]], *, types: bool = True) -> None:
    """Rows under their columns; one block for each row where the terminal is too narrow for a table."""
    if not columns:
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _ENDLESS
    if len(columns) * (_NARROWEST + 2) > width:
        _blocks(columns, rows)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shape = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        head = Text(printable(column.name), "bold")
        if types:
            head.append(f"\n{column.type.lower()}", "dim not bold")
        shape.add_column(
            head,
            justify="right" if _NUMBER.match(column.type) else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in rows:
        shape.add_row(*(Text("NULL", "dim") if value is None else Text(cell(value)) for value in row))
    console = _console(width)
    with console.capture() as drawn:
        console.print(shape)
    # The last column is padded to its width; whoever pipes this on does not want that.
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def cell(value: Json) -> str:
    """A value as text on one line."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, dict)):
        return printable(json.dumps(value, ensure_ascii=False))
    return printable(str(value))


def _blocks(columns: Sequence[Column], rows: Sequence[Sequence[Json]]) -> None:
    names = [printable(column.name) for column in columns]
    longest = max(map(len, names))
    for number, row in enumerate(rows, 1):
        print(f"-- row {number}")
        for name, value in zip(names, row, strict=True):
            print(f"{name:<{longest}}  {cell(value)}")


def _console(width: int) -> Console:
    from rich.console import Console

    colours = "auto" if colourful(sys.stdout) else None
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, color_system=colours)  # type: ignore[arg-type]
