"""Excel and OpenDocument sheets as rows: the first row with several cells names the columns."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mcp_lakehouse.errors import NotFound, UnreadableSource
from mcp_lakehouse.ingest.columnar import QueryReader
from mcp_lakehouse.ingest.csv_types import MARKERS
from mcp_lakehouse.ingest.engine import Job, reading
from mcp_lakehouse.ingest.types import UTC_TIMESTAMP, quoted
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.names import check_column_count, column_names

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Cell: TypeAlias = "int | float | str | bool | dt.date | dt.datetime | dt.time | dt.timedelta"

_CHUNK_ROWS = 5_000
_TITLE_ROWS = 20
_SEARCHED_BYTES = 8 * MIB
_FORMULA_ONLY = re.compile(rb"(</f>|<f\b[^>]*/>)\s*(<v\s*/>|<v>\s*</v>)?\s*</c>")
# Every integer up to here is exact as the floating number that a sheet keeps.
_EXACT = 2.0**53


@dataclass(slots=True)
class _Kinds:
    """What was seen in one column."""

    seen: set[str] = field(default_factory=set)
    whole: bool = True
    marks_only: bool = True

    def add(self, value: Cell) -> None:
        kind = _kind(value)
        self.seen.add(kind)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self.whole = self.whole and float(value).is_integer() and abs(value) < _EXACT
        elif isinstance(value, str):
            self.marks_only = self.marks_only and value in MARKERS

    @property
    def type(self) -> str:
        seen = self.seen - {"text"} if self.marks_only and len(self.seen) > 1 else self.seen
        if seen == {"number"}:
            return "BIGINT" if self.whole else "DOUBLE"
        if seen == {"truth"}:
            return "BOOLEAN"
        if seen == {"date"}:
            return "DATE"
        return UTC_TIMESTAMP if seen and seen <= {"date", "time stamp"} else "VARCHAR"


class SheetReader(QueryReader):
    """A sheet's rows, held in a temporary table of the job."""

    def reads_as(self, name: str, wanted: str) -> bool:
        """Cells may be read as text, and whole numbers as floating ones."""
        kind = next(kind for each, kind in self.columns if each.casefold() == name.casefold())
        return wanted == "VARCHAR" or (wanted == "DOUBLE" and kind == "BIGINT")


def excel_reader(job: Job, path: Path, name: str, sheet: str | None, number: int) -> SheetReader:
    """The named sheet, else the first that is not empty.

    Raises `NotFound` for a sheet that is not there, `UnreadableSource` for a damaged or protected workbook.
    """
    from python_calamine import CalamineError, PasswordError, load_workbook

    try:
        workbook = load_workbook(str(path))
        chosen = _chosen(job, workbook, name, sheet)
        rows = [row for row in _shown(chosen) if any(cell != "" for cell in row)][:_TITLE_ROWS]
    except PasswordError:
        raise UnreadableSource(f"{name} is protected by a password", hint="save it without one") from None
    except CalamineError as error:
        raise UnreadableSource(f"{name} cannot be read: {error}", hint="check that it opens in Excel") from None
    check_column_count(chosen.width, job.columns_limit, name)
    start = _header_place(rows)
    has_header = any(isinstance(cell, str) and cell for cell in rows[start])
    width = max(len(row) for row in rows)
    raw = [_text(cell) for cell in rows[start]] if has_header else [""] * width
    names, notes = column_names(raw)
    if start:
        notes.append(f"{start} rows before the header were passed over")
    skipped = start + has_header
    kinds = _kinds_of(chosen, width, skipped)
    with reading(name, path):
        table = _fill(job, f"sheet_{number}", names, [each.type for each in kinds], chosen, skipped)
    marked = [each for each, kind in zip(names, kinds, strict=True) if kind.type != "VARCHAR" and "text" in kind.seen]
    if marked:
        notes.append(f"missing-value marks (NA, NULL, …) were read as null in {', '.join(map(repr, marked[:10]))}")
    mixed = [each for each, kind in zip(names, kinds, strict=True) if kind.type == "VARCHAR" and len(kind.seen) > 1]
    if mixed:
        notes.append(f"columns with cells of several kinds are kept as text: {', '.join(map(repr, mixed[:10]))}")
    empty = [each for each, kind in zip(names, kinds, strict=True) if not kind.seen]
    if empty and _lacks_results(path):
        notes.append(
            f"no values in {', '.join(map(repr, empty[:10]))}: the workbook has formulas without stored values; open "
            "and save it in a spreadsheet program, then load it again"
        )
    for note in notes:
        job.note(f"{name}: {note}")
    return SheetReader(job, name, path.stat().st_size, table)


def _lacks_results(path: Path) -> bool:
    """Whether an .xlsx has cells with a formula and no result, as programs write that cannot calculate."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/"):
                with archive.open(name) as sheet:
                    if _FORMULA_ONLY.search(sheet.read(_SEARCHED_BYTES)):
                        return True
    return False


def _chosen(job: Job, workbook: CalamineWorkbook, name: str, sheet: str | None) -> CalamineSheet:
    names = workbook.sheet_names
    if sheet is not None:
        found = next((each for each in names if each.casefold() == sheet.casefold()), None)
        if found is None:
            raise NotFound(f"{name} has no sheet {sheet!r}", hint=f"its sheets: {', '.join(map(repr, names[:30]))}")
        chosen = workbook.get_sheet_by_name(found)
        if chosen.height == 0:
            raise UnreadableSource(
                f"the sheet {found!r} of {name} is empty", hint=f"its sheets: {', '.join(names[:30])}"
            )
        return chosen
    filled = [each for each in map(workbook.get_sheet_by_name, names) if each.height]
    if not filled:
        raise UnreadableSource(f"every sheet of {name} is empty", hint="check the file")
    if len(filled) > 1:
        others = ", ".join(repr(each.name) for each in filled[1:20])
        job.note(f"{name}: the sheet {filled[0].name!r} was read; for {others} give {name}#SHEET as the source")
    return filled[0]


def _shown(sheet: CalamineSheet) -> Iterator[Sequence[Cell]]:
    return iter(sheet.iter_rows())


def _header_place(rows: list[Sequence[Cell]]) -> int:
    """The first row with several filled cells, if any has; rows above it are titles."""
    filled = [sum(cell != "" for cell in row) for row in rows]
    if max(filled) < 3:
        return 0
    return next(place for place, count in enumerate(filled) if count > 1)


def _data(sheet: CalamineSheet, skipped: int) -> Iterator[Sequence[Cell]]:
    seen = 0
    for row in _shown(sheet):
        if any(cell != "" for cell in row):
            seen += 1
            if seen > skipped:
                yield row


def _kinds_of(sheet: CalamineSheet, width: int, skipped: int) -> list[_Kinds]:
    kinds = [_Kinds() for _ in range(width)]
    for row in _data(sheet, skipped):
        for kind, cell in zip(kinds, row, strict=False):
            if cell != "":
                kind.add(cell)
    return kinds


def _fill(job: Job, table: str, names: Sequence[str], types: Sequence[str], sheet: CalamineSheet, skipped: int) -> str:
    import pyarrow as pa

    arrow = {
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        UTC_TIMESTAMP: pa.timestamp("us", "UTC"),
        "VARCHAR": pa.string(),
    }
    shape = ", ".join(f"{quoted(name)} {kind}" for name, kind in zip(names, types, strict=True))
    job.rows(f"CREATE TEMP TABLE {table} ({shape})")
    chunk: list[Sequence[Cell]] = []

    def flush() -> None:
        columns = [
            pa.array([_as(kind, row[place]) if place < len(row) else None for row in chunk], arrow[kind])
            for place, kind in enumerate(types)
        ]
        job.connection.register("chunk", pa.Table.from_arrays(columns, [f"c{place}" for place in range(len(types))]))
        job.rows(f"INSERT INTO {table} SELECT * FROM chunk")
        job.connection.unregister("chunk")
        chunk.clear()

    for row in _data(sheet, skipped):
        chunk.append(row)
        if len(chunk) == _CHUNK_ROWS:
            flush()
    if chunk:
        flush()
    return table


def _kind(value: Cell) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, dt.datetime):
        return "time stamp"
    if isinstance(value, dt.date):
        return "date"
    return "text" if isinstance(value, str) else "time of day"


def _as(kind: str, value: Cell) -> object:
    if value == "" or (kind != "VARCHAR" and isinstance(value, str)):
        return None
    if kind == "VARCHAR":
        return _text(value)
    if kind == "BIGINT" and isinstance(value, float):
        return int(value)
    if kind == "DOUBLE" and isinstance(value, int):
        return float(value)
    if kind == UTC_TIMESTAMP and isinstance(value, dt.date):
        moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)
        return moment.replace(tzinfo=dt.UTC)
    return value


def _text(value: Cell) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return str(value)
