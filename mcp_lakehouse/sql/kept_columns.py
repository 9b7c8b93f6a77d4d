"""Columns that filters ask for again and again, held in the engine's memory beside their row numbers.

Reading them from a Parquet file takes most of a small filter's time. Values and types are those of the view, so
that a condition holds for the same rows of both.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mcp_lakehouse.limits import MIB
from mcp_lakehouse.sql.values import quote

if TYPE_CHECKING:
    import duckdb

# Of one version; a statement may use thirty times as much.
_BYTES = 64 * MIB
_VERSIONS = 4
_WIDTHS = {
    **dict.fromkeys(("BOOLEAN", "TINYINT", "UTINYINT"), 1),
    **dict.fromkeys(("SMALLINT", "USMALLINT"), 2),
    **dict.fromkeys(("INTEGER", "UINTEGER", "FLOAT", "DATE"), 4),
    **dict.fromkeys(("BIGINT", "UBIGINT", "DOUBLE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIME"), 8),
    **dict.fromkeys(("HUGEINT", "UHUGEINT", "UUID", "DECIMAL", "VARCHAR"), 16),
}
_PRECISION = re.compile(r"\(\d+,\d+\)$")


class KeptColumns:
    """For views with row numbers: tables of those columns that were asked for before."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, row_number: str) -> None:
        """`row_number`: the views' column that is always kept."""
        self._connection = connection
        self._row_number = row_number
        self._asked: dict[str, frozenset[str]] = {}
        self._refused: set[tuple[str, frozenset[str]]] = set()
        # The columns each view's table has; the view itself serves where there is none.
        self._kept: OrderedDict[str, frozenset[str]] = OrderedDict()

    def source(self, view: str, wanted: frozenset[str], types: Mapping[str, str]) -> str:
        """What to read the wanted columns of a view from, quoted. `types`: of all its columns, by name.

        Whoever asks once is served from the files; a column that is asked for again is kept, if it is small.
        """
        kept, asked = self._kept.get(view, frozenset()), self._asked.get(view, frozenset())
        self._asked[view] = asked | wanted
        if not wanted or not (wanted <= kept or (wanted <= asked and self._keep(view, wanted | kept, types))):
            return quote(view)
        self._kept.move_to_end(view)
        return quote(_table(view))

    def forget(self, view: str) -> None:
        """Drop what is kept of a view, which is another one from now on."""
        self._asked.pop(view, None)
        self._refused = {(of, columns) for of, columns in self._refused if of != view}
        if self._kept.pop(view, None) is not None:
            self._connection.execute(f"DROP TABLE {quote(_table(view))}")

    def _keep(self, view: str, columns: frozenset[str], types: Mapping[str, str]) -> bool:
        if (view, columns) in self._refused:
            return False
        if not self._is_small(view, {name: _PRECISION.sub("", types[name]) for name in columns}):
            self._refused.add((view, columns))
            return False
        listed = ", ".join(quote(name) for name in (self._row_number, *sorted(columns)))
        self._connection.execute(f"CREATE OR REPLACE TABLE {quote(_table(view))} AS SELECT {listed} FROM {quote(view)}")
        self._kept[view] = columns
        while len(self._kept) > _VERSIONS:
            self.forget(next(iter(self._kept)))
        return True

    def _is_small(self, view: str, kinds: Mapping[str, str]) -> bool:
        if not all(kind in _WIDTHS for kind in kinds.values()):
            return False
        texts = [f"coalesce(sum(strlen({quote(name)})), 0)" for name, kind in kinds.items() if kind == "VARCHAR"]
        asked = f"SELECT count(*), {' + '.join(['0', *texts])} FROM {quote(view)}"
        ((rows, chars),) = self._connection.execute(asked).fetchall()
        return bool(rows * (8 + sum(_WIDTHS[kind] for kind in kinds.values())) + chars <= _BYTES)


def _table(view: str) -> str:
    return f"{view} kept"
