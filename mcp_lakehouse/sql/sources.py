"""A version's rows as SQL: its data files, and the overlay over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcp_lakehouse.sql.values import literal, quote
from mcp_lakehouse.table.overlay import DELETED
from mcp_lakehouse.worker.channel import Message

Columns = Sequence[Sequence[str]]
# The select list that gives columns and types from a source of files.
Selected = Callable[[str, Columns], str]


@dataclass(frozen=True, slots=True)
class Source:
    """Files (paths, in their order) with the columns (name, SQL type) that they are to show.

    `overlay`: `file` (its path), `by` (the columns it goes by), and `after`: the numbers of files it does not reach.
    """

    columns: Columns
    files: Sequence[str]
    overlay: Message | None = None

    def select(self, selected: Selected, number: str | None = None) -> str:
        """A SELECT of all rows; `number` names a column that numbers them: (file << 40) | row, the overlay's last."""
        selects = self.base(selected, range(len(self.files)), number)
        if self.overlay is not None:
            selects.append(self.laid(selected, number))
        return " UNION ALL ".join(selects) or self.nothing(number)

    def base(self, selected: Selected, files: Sequence[int], number: str | None = None) -> list[str]:
        """SELECTs of the rows of some files that the overlay leaves."""
        if self.overlay is None:
            return [self._rows(selected, files, number)] if files else []
        after = set(self.overlay["after"])
        under, free = [n for n in files if n not in after], [n for n in files if n in after]
        selects = [self._rows(selected, free, number)] if free else []
        if under:
            by = ", ".join(map(quote, self.overlay["by"]))
            gone = f"SELECT {by} FROM ({self.keys(selected)})"
            selects.insert(0, f"SELECT * FROM ({self._rows(selected, under, number)}) ANTI JOIN ({gone}) USING ({by})")
        return selects

    def laid(self, selected: Selected, number: str | None = None) -> str:
        """A SELECT of the overlay's rows."""
        assert self.overlay is not None
        read = _read([self.overlay["file"]])
        numbered = f"({len(self.files)}::BIGINT << 40) | file_row_number AS {quote(number)}, " if number else ""
        return f"SELECT {numbered}{selected(read, self.columns)} FROM {read} WHERE NOT {quote(DELETED)}"

    def keys(self, selected: Selected) -> str:
        """A SELECT of the columns that the overlay goes by, of all keys it holds."""
        assert self.overlay is not None
        by, read = set(self.overlay["by"]), _read([self.overlay["file"]])
        return f"SELECT {selected(read, [column for column in self.columns if column[0] in by])} FROM {read}"

    def nothing(self, number: str | None = None) -> str:
        """A SELECT of no rows."""
        names = ", ".join(f"CAST(NULL AS {type_}) AS {quote(column)}" for column, type_ in self.columns)
        numbered = f"CAST(NULL AS BIGINT) AS {quote(number)}, " if number else ""
        return f"SELECT {numbered}{names} WHERE false"

    def _rows(self, selected: Selected, files: Sequence[int], number: str | None) -> str:
        read = _read([self.files[n] for n in files])
        file = "file_index::BIGINT"
        if list(files) != list(range(len(files))):
            file = f"[{', '.join(map(str, files))}][{file} + 1]::BIGINT"
        numbered = f"({file} << 40) | file_row_number AS {quote(number)}, " if number else ""
        return f"SELECT {numbered}{selected(read, self.columns)} FROM {read}"


def _read(files: Sequence[str]) -> str:
    # union_by_name keeps the statistics that several files lose otherwise (joins were 2x slower).
    by_name = ", union_by_name = true" if len(files) > 1 else ""
    return f"read_parquet({literal(list(files))}{by_name})"
