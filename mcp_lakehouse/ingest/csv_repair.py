"""Accounting for every line of a delimited text, and mending what the engine would lose.

The engine drops lines that span its buffers and what follows a quote that is never closed, both
without an error (measured on DuckDB 2.0.0). So rows plus rejects are held against the records that
the bytes show, and where they differ the text is read line by line here: lines that are too long
or whose quote is never closed are swapped for a malformed one-line mark, which the engine rejects.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mcp_lakehouse.ingest.csv_dialect import Dialect
from mcp_lakehouse.ingest.csv_text import MAX_LINE_BYTES, TextFile
from mcp_lakehouse.ingest.rejects import MAX_TEXT_CHARS
from mcp_lakehouse.limits import MIB

# A quoted value may run over so many lines before its quote is taken as never closed.
_OPEN_LINES = 10_000
_KEPT_REASONS = 100_000
_OUTSIDE, _INSIDE, _BROKEN = 0, 1, 2

# Physical line -> why it was rejected, and its text.
Bad = dict[int, tuple[str, str]]


def quick_count(text: TextFile, dialect: Dialect) -> int:
    """Records after the header if each line is one: right for texts without blank lines and quoted line ends."""
    return max(0, text.scan.line_ends + (not text.scan.ended) - dialect.skip - dialect.header)


def count_by_quotes(text: TextFile, dialect: Dialect, *, single: bool) -> int | None:
    """Records after the header if every quote has its partner; `None` if one has not.

    Fast, but misled by quotes inside unquoted values. Blank lines count only where the table has a
    `single` column.
    """
    quote, escape = dialect.quote.encode(), dialect.escape.encode()
    quoted, records, last = False, 0, b"\n"
    with text.path.open("rb") as source:
        for _ in range(dialect.skip):
            source.readline()
        while block := source.read(MIB):
            if block.endswith((b"\r", b"\\")):
                block += source.read(1)
            if text.crlf:
                block = block.replace(b"\r\n", b"\n")
            if escape != quote:
                block = block.replace(escape + quote, b"")
            for place, part in enumerate(block.split(quote)):
                if place:
                    quoted = not quoted
                    last = quote
                if not part:
                    continue
                if not quoted:
                    records += part.count(b"\n") if single else _filled_lines(last + part)
                last = part[-1:]
    if quoted:
        return None
    records += last != b"\n"
    return max(0, records - dialect.header)


def repair(text: TextFile, dialect: Dialect, target: Path, *, single: bool) -> tuple[Bad, int]:
    """Write a copy in which each line that cannot be read is a mark; the number of lines stays the same.

    Returns the marked lines, and how many records there are after the header, marks included.
    """
    bad: Bad = {}
    records = 0
    quote = dialect.quote.encode()
    mark = quote + b"x" + quote + b"y" + (b"\r\n" if text.crlf else b"\n")
    with text.path.open("rb") as source, target.open("xb") as out:
        lines = _Lines(source)
        while (found := lines.next()) is not None:
            number, line, length = found
            reason = None
            records += number > dialect.skip and (single or bool(line.rstrip(b"\r\n")))
            if length > MAX_LINE_BYTES:
                reason = f"the line has {length:,} bytes; the limit is {MAX_LINE_BYTES:,}"
            elif quote in line and number > dialect.skip + 1:
                following = _close(lines, line, dialect)
                if following is None:
                    reason = "a quote is opened here and never closed"
                else:
                    line += b"".join(following)
            if reason is not None:
                if len(bad) < _KEPT_REASONS:
                    bad[number] = (reason, line[: 4 * MAX_TEXT_CHARS].decode("utf-8", "backslashreplace"))
                line = mark
            out.write(line)
    return bad, records - dialect.header


class _Lines:
    """Lines with their numbers; some may be given back. Of an over-long line only the beginning is kept."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._number = 0
        self._returned: deque[tuple[int, bytes, int]] = deque()

    def next(self) -> tuple[int, bytes, int] | None:
        if self._returned:
            return self._returned.popleft()
        line = self._source.readline(MAX_LINE_BYTES + 1)
        if not line:
            return None
        self._number += 1
        length = len(line)
        while length > MAX_LINE_BYTES and not line.endswith(b"\n"):
            rest = self._source.readline(MAX_LINE_BYTES)
            length += len(rest)
            if not rest or rest.endswith(b"\n"):
                break
        return self._number, line, length

    def give_back(self, lines: list[tuple[int, bytes, int]]) -> None:
        self._returned.extendleft(reversed(lines))


def _close(lines: _Lines, line: bytes, dialect: Dialect) -> list[bytes] | None:
    """The further lines of the record that begins with `line`; `None` (all given back) if it never ends.

    A record that is malformed without being open is left for the engine to reject.
    """
    state = _state(line, dialect, inside=False)
    if state != _INSIDE:
        return []
    taken: list[tuple[int, bytes, int]] = []
    size = len(line)
    while len(taken) < _OPEN_LINES and size <= MAX_LINE_BYTES and (found := lines.next()) is not None:
        taken.append(found)
        size += found[2]
        state = _state(found[1], dialect, inside=True)
        if state == _OUTSIDE and size <= MAX_LINE_BYTES:
            return [each for _, each, _ in taken]
        if state == _BROKEN:
            break
    lines.give_back(taken)
    return None


def _state(line: bytes, dialect: Dialect, *, inside: bool) -> int:
    """Where a line ends: outside of quotes, inside a quoted value, or after a quote that stands wrongly."""
    quote, delimiter, escape = dialect.quote.encode(), dialect.delimiter.encode(), dialect.escape.encode()
    line = line.rstrip(b"\r\n")
    at = 0
    while True:
        if not inside:
            for start in _field_starts(line, at, delimiter):
                if line[start : start + 1] == quote:
                    at, inside = start + 1, True
                    break
            else:
                return _OUTSIDE
        stop = line.find(quote, at)
        if stop < 0:
            return _INSIDE
        if escape != quote and stop > 0 and line[stop - 1 : stop] == escape:
            at = stop + 1
        elif escape == quote and line[stop + 1 : stop + 2] == quote:
            at = stop + 2
        elif stop + 1 == len(line) or line[stop + 1 :].startswith(delimiter):
            at, inside = stop + 1, False
        else:
            return _BROKEN


def _field_starts(line: bytes, at: int, delimiter: bytes) -> Iterator[int]:
    if at == 0:
        yield 0
    while (at := line.find(delimiter, at)) >= 0:
        at += len(delimiter)
        yield at


def _filled_lines(part: bytes) -> int:
    """Line ends in `part[1:]` that end a line with something on it; `part[0]` is what came before."""
    ends = part.count(b"\n", 1)
    at = part.find(b"\n\n")
    while at >= 0:
        ends -= 1
        at = part.find(b"\n\n", at + 1)
    return ends
