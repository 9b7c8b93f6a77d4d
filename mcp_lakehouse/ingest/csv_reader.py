"""Delimited text (CSV, TSV) as rows: the engine splits and casts, this decides how and accounts for every line.

Types come from the first rows. Where a later value could be changed by a cast without an error, the
cast is checked row by row; one that does not hold stops the query, every value of the file is
counted by kind, and the file is read again with what is known then.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest import csv_repair, csv_text
from mcp_lakehouse.ingest.csv_columns import CsvColumns
from mcp_lakehouse.ingest.csv_dialect import detect
from mcp_lakehouse.ingest.csv_rejects import RejectTables
from mcp_lakehouse.ingest.engine import Job, literal
from mcp_lakehouse.ingest.reader import Retry, select
from mcp_lakehouse.ingest.writing import Columns
from mcp_lakehouse.names import check_column_count, column_names

_SAMPLED_ROWS = 8_192
_SAMPLED_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class _Count:
    value: int | None


class CsvReader:
    """One delimited file; `number` tells its tables from those of other files of the job."""

    def __init__(self, job: Job, path: Path, name: str, delimiter: str | None, number: int) -> None:
        self._job = job
        self.name = name
        self.bytes = path.stat().st_size
        self._text = csv_text.prepare(job, path, name)
        dialect = detect(csv_text.sample(self._text), preferred=delimiter)
        if dialect is None:
            raise UnreadableSource(f"{name} holds nothing but blank lines", hint="check how it was made")
        check_column_count(len(dialect.names), job.columns_limit, name)
        self._dialect = dialect
        self._rejects = RejectTables(job, number)
        self._bad: csv_repair.Bad = {}
        self._counted: _Count | None = None
        self._repaired = self._normalised = False
        self._names, self._name_notes = column_names(dialect.names)
        if not dialect.header:
            self._name_notes = [f"it has no header line; its columns are named {self._names[0]}, …"]
        self._columns = self._look()

    def _look(self) -> CsvColumns:
        """Types by the first rows, by all if there are few."""
        limit = min(_SAMPLED_ROWS, max(500, _SAMPLED_CELLS // len(self._names)))
        complete = isinstance(self._text.scanned, csv_text.Scan) and self._quick <= limit
        columns = self._columns = CsvColumns(
            self._job, self._names, complete=complete, comma=self._dialect.delimiter == ";"
        )
        columns.count(self._texts, range(len(self._names)), None if complete else limit)
        columns.count(self._texts, columns.unseen(), None)
        return columns

    # What the file holds ----------------------------------------------------------------------

    @property
    def columns(self) -> Columns:
        """Names and types as the values suggest them."""
        return [(each.name, each.decision.type) for each in self._columns.all]

    def reads_as(self, name: str, wanted: str) -> bool:
        """Whether the values of a column could be read as another type, none of them changed."""
        return self._columns.reads_as(self._texts, name, wanted)

    def count_everything(self) -> None:
        """Settle the types by all values instead of the first rows."""
        self._columns.count(self._texts, self._columns.incomplete(), None)

    # Reading ----------------------------------------------------------------------------------

    def query(self, wanted: Columns) -> str:
        """A SELECT of the wanted columns, typed, with what the engine rejects kept in a table."""
        kinds = {name.casefold(): kind for name, kind in wanted}
        types: list[str] = []
        expressions: dict[str, str] = {}
        for place, column in enumerate(self._columns.all):
            kind, expression = self._columns.read(place, kinds[column.name.casefold()])
            types.append(kind)
            expressions[column.name.casefold()] = expression
        self._rejects.drop()
        source = self._source(types, [*self._columns.options(), *self._rejects.options()])
        return select(wanted, expressions, source)

    def _texts(self) -> str:
        """The file as texts, malformed rows left out.

        They are rejected, not ignored: ignoring errors, the engine may drop all that follows a wrong
        quote (measured on DuckDB 2.0.0, with CRLF).
        """
        self._rejects.drop()
        return self._source(["VARCHAR"] * len(self._columns.all), self._rejects.options())

    def _source(self, types: list[str], options: list[str]) -> str:
        dialect = self._dialect
        shape = ", ".join(f"'c{place}': '{kind}'" for place, kind in enumerate(types))
        options = [
            "auto_detect=false",
            f"columns={{{shape}}}",
            f"header={str(dialect.header).lower()}",
            f"skip={dialect.skip}",
            f"delim={literal(dialect.delimiter)}",
            f"quote={literal(dialect.quote)}",
            f"escape={literal(dialect.escape)}",
            "new_line=" + ("'\\r\\n'" if self._text.crlf else "'\\n'"),
            "comment=''",
            "compression='none'",
            "hive_partitioning=false",
            f"max_line_size={csv_text.MAX_LINE_BYTES}",
            f"null_padding={str(dialect.short_rows).lower()}",
            *options,
        ]
        return f"read_csv({literal(str(self._text.path))}, {', '.join(options)})"

    # Accounting -------------------------------------------------------------------------------

    @property
    def _quick(self) -> int:
        return csv_repair.quick_count(self._text, self._dialect)

    def expected(self) -> int | None:
        """Records after the header: by lines first, then by quotes, `None` if those do not pair up."""
        return self._quick if self._counted is None else self._counted.value

    def count_by_quotes(self) -> None:
        """From now on `expected` pairs quotes, so that line ends inside them do not count."""
        single = len(self._names) == 1
        self._counted = _Count(csv_repair.count_by_quotes(self._text, self._dialect, single=single))

    def inspect(self, rows: int | None) -> int:
        """Rejected rows; `Retry` where types, quotes or lines turned out otherwise than thought."""
        if self.mend():
            raise Retry
        if any(not self._columns.all[place].complete for place in self._rejects.cast_columns()):
            self.count_everything()
            raise Retry
        rejected = self._rejects.count()
        if not self._repaired and self._rejects.swallowed_lines():
            self._repair()
            raise Retry
        if rows is not None and rows + rejected != self.expected():
            self._account(rows + rejected)
        return rejected

    def _account(self, found: int) -> None:
        """Hold what was found against ever closer looks at the file."""
        if not self._repaired:
            self.count_by_quotes()
            if found == self.expected():
                return
            self._repair()
            if found != self.expected() or self._bad:
                raise Retry
        if found != self.expected():
            raise UnreadableSource(
                f"{self.name} has {self.expected()} records, but {found} could be made out, so some would be lost",
                hint="its quotes or line ends are too damaged to trust; save it again as plain CSV",
            )

    def _repair(self) -> None:
        """Read line by line; from now on `expected` is exact, and lines that lose others are marks."""
        target = csv_text.staged(self._job, ".txt")
        self._bad, count = csv_repair.repair(self._text, self._dialect, target, single=len(self._names) == 1)
        self._counted, self._repaired = _Count(count), True
        self._text = csv_text.with_path(target, crlf=self._text.crlf)
        self._look()

    def mend(self) -> bool:
        """Put right what the pass over a large file found while the engine read it; False if all was as assumed."""
        if isinstance(self._text.scanned, csv_text.Scan):
            return False
        better = csv_text.mended(self._job, self._text, self.name)
        self._text = better or csv_text.TextFile(self._text.path, self._text.crlf, self._text.scan)
        if better is not None:
            self._look()
        return better is not None

    def normalise(self) -> bool:
        """Make every line end the same, as the engine stopped at a mixture; False if that was done before."""
        if self._normalised:
            return False
        self._normalised = True
        self._text = csv_text.with_path(csv_text.normalise(self._job, self._text.path, self.name), crlf=False)
        self._counted = None
        self._look()
        return True

    # Telling ----------------------------------------------------------------------------------

    def finish(self) -> None:
        """Rejected rows with their physical lines to the log, and what a user should know to the notes."""
        for rows in self._rejects.rows(self._text.path, self.name, self._names, self._bad):
            self._job.rejects.add_many(rows)
        self._rejects.drop()
        for note in self._name_notes:
            self._job.note(f"{self.name}: {note}")
        preamble = self._dialect.preamble
        if preamble:
            shown = " / ".join(line.strip()[:80] for line in preamble[:3])
            self._job.note(f"{self.name}: {len(preamble)} lines before the header were passed over: {shown}")
        if self._dialect.short_rows:
            self._job.note(f"{self.name}: most rows end before the last column; what they lack is null")
        for note in self._columns.notes():
            self._job.note(note)
