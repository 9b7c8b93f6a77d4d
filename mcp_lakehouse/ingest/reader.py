"""What every table format offers to the loader."""

from __future__ import annotations

from typing import Protocol

from mcp_lakehouse.ingest.types import quoted
from mcp_lakehouse.ingest.writing import Columns


class Retry(Exception):
    """What was written does not hold what the file holds; the reader has changed its ways, read again."""


class Reader(Protocol):
    """One file as rows of typed columns. `columns` and the engine's query may change after a `Retry`."""

    name: str
    bytes: int

    @property
    def columns(self) -> Columns:
        """Names and stored types as the file itself suggests them; `NULL` where only nulls were seen."""
        ...

    def reads_as(self, name: str, wanted: str) -> bool:
        """Whether the column can be read as this type too, without loss, from what the file holds."""
        ...

    def query(self, wanted: Columns) -> str:
        """A SELECT of exactly these columns; null for those that the file does not have."""
        ...

    def inspect(self, rows: int | None) -> int:
        """After the query ran: rejected rows. `rows` were written from this file alone, if known.

        Raises `Retry` if something was read wrongly and can be read better, `UnreadableSource` if not.
        """
        ...

    def expected(self) -> int | None:
        """How many rows plus rejects the file must give, if that can be told from its bytes."""
        ...

    def finish(self) -> None:
        """Write rejected rows to the job's log and leave its notes."""
        ...


def select(wanted: Columns, have: dict[str, str], source: str, *, also: str = "") -> str:
    """A SELECT of the wanted columns; `have` gives an expression for each casefolded name that is there."""
    parts = [f"CAST({have.get(name.casefold(), 'NULL')} AS {kind}) AS {quoted(name)}" for name, kind in wanted]
    return f"SELECT {', '.join(parts)}{also} FROM {source}"
