"""What the engine rejected of one delimited file, with physical lines and reasons that people understand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcp_lakehouse.ingest.csv_repair import Bad
from mcp_lakehouse.ingest.csv_text import MAX_LINE_BYTES, line_numbers
from mcp_lakehouse.ingest.engine import Job

_CHUNK_ROWS = 10_000
_VALUE = re.compile(r"Could not convert string \"(.*?)\" to '(.*?)'", re.DOTALL)

Row = tuple[str, "int | None", "str | None", str, str]


class RejectTables:
    """The two temporary tables that the engine fills while it reads one file."""

    def __init__(self, job: Job, number: int) -> None:
        self._job = job
        self._errors = f"rejects_{number}"
        self._scans = f"scans_{number}"

    def options(self) -> list[str]:
        """Options of `read_csv` that make the engine keep what it rejects."""
        return [
            "store_rejects=true",
            f"rejects_table='{self._errors}'",
            f"rejects_scan='{self._scans}'",
            "rejects_line_size_limit=8000",
        ]

    def drop(self) -> None:
        """Remove the tables."""
        self._job.rows(f"DROP TABLE IF EXISTS {self._errors}")
        self._job.rows(f"DROP TABLE IF EXISTS {self._scans}")

    def count(self) -> int:
        """Rejected rows; one row may have several errors."""
        return int(str(self._job.rows(f"SELECT count(DISTINCT line_byte_position) FROM {self._errors}")[0][0]))

    def cast_columns(self) -> list[int]:
        """Columns (from 0) with values that could not be cast."""
        found = self._job.rows(f"SELECT DISTINCT column_name FROM {self._errors} WHERE error_type = 'CAST'")
        return [int(str(name)[1:]) for (name,) in found]

    def swallowed_lines(self) -> bool:
        """Whether one rejected row runs over several lines because a quote was left open."""
        condition = "error_type = 'UNQUOTED VALUE' AND contains(csv_line, chr(10))"
        return bool(self._job.rows(f"SELECT 1 FROM {self._errors} WHERE {condition} LIMIT 1"))

    def rows(self, path: Path, name: str, columns: Sequence[str], bad: Bad) -> Iterator[list[Row]]:
        """Source, line, column, reason and text of each rejected row; those in `bad` were known before."""
        first = ", ".join(
            f"arg_min({each}, coalesce(column_idx, 0))" for each in ("error_type", "column_name", "error_message")
        )
        found = self._job.connection.execute(
            f"SELECT line_byte_position, {first}, any_value(csv_line) FROM {self._errors} "
            "GROUP BY line_byte_position ORDER BY line_byte_position"
        )
        while chunk := found.fetchmany(_CHUNK_ROWS):
            rows: list[Row] = []
            lines = line_numbers(path, [row[0] for row in chunk])
            for line, (position, error, alias, message, text) in zip(lines, chunk, strict=True):
                if line in bad:
                    rows.append((name, line, None, *bad[line]))
                    continue
                if error == "INVALID ENCODING" or "?" in text:
                    # The engine shows bytes that are not UTF-8 as question marks.
                    text = _raw(path, position, text)
                column = columns[int(alias[1:])] if alias and error == "CAST" else None
                rows.append((name, line, column, _reason(error, message or "", len(columns)), text.strip("\r\n")))
            yield rows


def _raw(path: Path, position: int, text: str) -> str:
    with path.open("rb") as source:
        source.seek(max(0, position - 1))
        raw = source.read(4 * len(text) + 8).lstrip(b"\r\n")
    lines = raw.split(b"\n")[: text.strip("\r\n").count("\n") + 1]
    return b"\n".join(lines).decode("utf-8", "backslashreplace")


def _reason(error: str, message: str, width: int) -> str:
    if error == "CAST":
        found = _VALUE.search(message)
        kind = found.group(2).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMP") if found else ""
        return f"{found.group(1)[:100]!r} is not a {kind}" if found else "a value does not have its column's type"
    return {
        "MISSING COLUMNS": f"{message.rpartition(' ')[2]} columns where {width} are expected",
        "TOO MANY COLUMNS": f"{message.rpartition(' ')[2]} columns where {width} are expected",
        "UNQUOTED VALUE": "a quote is not closed, or text follows a closing quote",
        "LINE SIZE OVER MAXIMUM": f"the line is longer than {MAX_LINE_BYTES:,} bytes",
        "INVALID ENCODING": "bytes that are not UTF-8",
    }.get(error, message.split("\n")[0])
