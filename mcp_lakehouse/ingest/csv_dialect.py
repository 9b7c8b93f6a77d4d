"""How a delimited text is written: delimiter, quote, lines before the header, header. Pure functions of a sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

DELIMITERS = (",", "\t", ";", "|")
# Where a file has one column, its lines must not be split at anything they hold.
_NEVER_FOUND = "\x1f"
_RECORDS = 1_000
_RECORD_LINES = 100
_PREAMBLE_LINES = 20
_NUMBER = re.compile(r"[+-]?(\d[\d,.' ]*|\.\d+)([eE][+-]?\d+)?%?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2})?")
_TRUTH = frozenset({"true", "false", "t", "f", "yes", "no"})
# Spreadsheet programs write it above the header to tell each other the delimiter.
_SEPARATOR = re.compile(r'\ufeff?"?sep=([^"\n])"?[,;\t ]*\n', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to read the file. `skip` counts physical lines before the header (or the first row).

    `names` has one raw name for each column, empty where there is none. `short_rows` says that most
    rows end before the header does: what they lack is null then, not an error.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int
    header: bool
    names: tuple[str, ...]
    short_rows: bool = False
    preamble: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Record:
    fields: tuple[str, ...]
    line: int
    # False where a quote stands wrongly.
    sound: bool = True

    @property
    def blank(self) -> bool:
        return len(self.fields) == 1 and not self.fields[0].strip()


def detect(sample: str, *, preferred: str | None = None) -> Dialect | None:
    """The dialect of a text from its beginning; `None` where there is nothing but blank lines.

    `preferred` is the delimiter that the file's name promises; it wins where it fits as well.
    """
    # Only these end a line; str.splitlines would also split at form feeds and the like.
    original = sample = sample.replace("\r\n", "\n")
    told = _SEPARATOR.match(sample)
    delimiters: tuple[str, ...] = DELIMITERS
    if told is not None:
        # Blank lines are passed over, and keep the numbers of the others.
        sample = "\n" + sample[told.end() :]
        preferred = str(told.group(1))
        delimiters = (preferred,)
    found = _detected(sample, original, preferred, delimiters)
    comments = _comments(sample)
    if found is None or not comments:
        return found
    lines = sample.split("\n")
    blanked = "\n" * comments + "\n".join(lines[comments:])
    beyond = _detected(blanked, original, preferred, delimiters)
    return beyond if beyond is not None and _are_comments(lines[:comments], blanked, beyond) else found


def _comments(sample: str) -> int:
    """How many lines the text begins with that are blank or start with `#`; 0 if no other line follows."""
    lines = sample.split("\n")
    count = next((place for place, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    return count if any(line.strip() for line in lines[:count]) else 0


def _are_comments(above: list[str], below: str, table: Dialect) -> bool:
    """Whether the lines that start with `#` stand above a table, and are not its header or its first rows."""
    above = [line for line in above if line.strip()]
    width = len(table.names)
    if width < 2:
        return len(above) > 1
    if len(above[-1].split(table.delimiter)) != width:
        return True
    # As many fields as the table has: this may be its header, unless the next line shows clearly that it is.
    records = _records(below, table.delimiter, table.quote, table.escape)
    first, *rows = [record.fields for record in records if not record.blank]
    return table.header and any(_stands_out(field, place, rows[:100]) for place, field in enumerate(first))


def _detected(sample: str, original: str, preferred: str | None, delimiters: tuple[str, ...]) -> Dialect | None:
    quote = _quote(sample)
    best: tuple[tuple[float, int], str, str] | None = None
    for escape in (quote, "\\") if "\\" + quote in sample else (quote,):
        for delimiter in delimiters:
            found = (record for record in _records(sample, delimiter, quote, escape) if not record.blank)
            widths = [len(record.fields) if record.sound else 0 for record in found]
            score = _score(widths)
            if score and delimiter == preferred:
                score += 0.1
            # Doubled quotes are the rule; only a better fit speaks for the backslash.
            if score and (best is None or (score, _usual(widths)) > best[0]):
                best = (score, _usual(widths)), delimiter, escape
    if best is None and preferred is not None and preferred in _first_line(sample):
        best = (0.0, 0), preferred, quote
    if best is None:
        delimiter, escape = next((each for each in delimiters if each not in sample), _NEVER_FOUND), quote
    else:
        _, delimiter, escape = best
    records = [record for record in _records(sample, delimiter, quote, escape) if not record.blank]
    return _layout(records, original, delimiter, quote, escape) if records else None


def _usual(widths: list[int]) -> int:
    return Counter(widths).most_common(1)[0][0]


def _score(widths: list[int]) -> float:
    """Share of records that have the most common width, if that is two or more and fits the first lines."""
    if not widths:
        return 0.0
    width, count = Counter(widths).most_common(1)[0]
    if width < 2:
        # Many short lines may follow a header of several columns.
        return 0.0 if widths[0] < 2 or len(widths) > 3 else 0.3
    share = count / len(widths)
    return share if share >= 0.5 or widths[0] == width else 0.0


def _layout(records: list[_Record], sample: str, delimiter: str, quote: str, escape: str) -> Dialect:
    start = _start(records)
    first, rest = records[start], records[start + 1 :]
    header = _is_header(first.fields, [record.fields for record in rest[:100]])
    names = list(first.fields) if header else [""] * len(first.fields)
    usual = Counter(len(record.fields) for record in rest if record.sound).most_common(1)
    width = usual[0][0] if usual else len(names)
    while header and names and not names[-1].strip() and len(names) > width:
        names.pop()
    share = usual[0][1] / len(rest) if usual else 0.0
    if width > len(names) and share > 0.5 and (len(names) > 1 or delimiter != _NEVER_FOUND):
        names += [""] * (width - len(names))
    lines = sample.split("\n", first.line)
    return Dialect(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        skip=first.line,
        header=header,
        names=tuple(names),
        short_rows=bool(rest) and width < len(names) and share > 0.5,
        preamble=tuple(line for line in lines[: first.line] if line.strip()),
    )


def _start(records: list[_Record]) -> int:
    """The record that begins the table: titles above it have one filled field where the table has several."""
    width = Counter(len(record.fields) for record in records).most_common(1)[0][0]
    if width < 2:
        return 0
    for place, record in enumerate(records[:_PREAMBLE_LINES]):
        filled = sum(bool(field.strip()) for field in record.fields)
        if len(record.fields) >= 2 and (filled > 1 or width < 3):
            return place
    return 0


def _is_header(first: tuple[str, ...], rows: list[tuple[str, ...]]) -> bool:
    kinds = [_kind(field) for field in first]
    if all(kind == "empty" for kind in kinds):
        return False
    named = [field.strip().casefold() for field in first if field.strip()]
    if not rows:
        return "text" in kinds and "number" not in kinds
    for place, field in enumerate(first):
        if field.strip().casefold() in ("t", "f") and "truth" not in _kinds_below(place, rows):
            kinds[place] = "text"
    if any(_stands_out(field, place, rows) for place, field in enumerate(first)):
        return True
    if all(kind in ("text", "empty") for kind in kinds):
        return len(set(named)) == len(named) or len(named) > 3
    return _years(first, kinds)


def _stands_out(field: str, place: int, rows: list[tuple[str, ...]]) -> bool:
    """Whether a field is a word above a column of numbers, dates or truths."""
    below = _kinds_below(place, rows)
    kind = _kind(field)
    # Two letters that may be truths are names where nothing below is one.
    word = kind == "text" or (field.strip().casefold() in ("t", "f") and "truth" not in below)
    return word and bool(below) and "text" not in below


def _kinds_below(place: int, rows: list[tuple[str, ...]]) -> set[str]:
    return {_kind(row[place]) for row in rows if place < len(row)} - {"empty"}


def _years(first: tuple[str, ...], kinds: list[str]) -> bool:
    """A header such as `country,2019,2020`."""
    numbers = [field.strip() for field, kind in zip(first, kinds, strict=True) if kind == "number"]
    return (
        "text" in kinds
        and len(numbers) > 1
        and len(set(numbers)) == len(numbers)
        and all(number.isascii() and number.isdigit() and 1800 <= int(number) <= 2200 for number in numbers)
    )


def _kind(field: str) -> str:
    text = field.strip()
    if not text:
        return "empty"
    if _NUMBER.fullmatch(text):
        return "number"
    if _DATE.fullmatch(text):
        return "date"
    return "truth" if text.casefold() in _TRUTH else "text"


def _quote(sample: str) -> str:
    starts = re.compile(r"(?:^|[,;\t|])(['\"])", re.MULTILINE)
    seen = Counter(match.group(1) for match in starts.finditer(sample))
    ends = len(re.findall(r"'(?:$|[,;\t|])", sample, re.MULTILINE))
    return "'" if not seen['"'] and seen["'"] > 1 and ends >= seen["'"] * 0.9 else '"'


def _first_line(sample: str) -> str:
    return next((line for line in sample.split("\n") if line.strip()), "")


def _records(sample: str, delimiter: str, quote: str, escape: str) -> Iterator[_Record]:
    """Records of a sample. A quote that is not closed within it is taken as an ordinary character."""
    lines = sample.removesuffix("\n").split("\n")
    at = 0
    for _ in range(_RECORDS):
        if at >= len(lines):
            return
        text, taken = lines[at], 1
        record = _split(text, at, delimiter, quote, escape)
        while record is None and taken < _RECORD_LINES and at + taken < len(lines):
            text += "\n" + lines[at + taken]
            taken += 1
            record = _split(text, at, delimiter, quote, escape)
        if record is None:
            taken, record = 1, _Record(tuple(lines[at].split(delimiter)), at, sound=False)
        yield record
        at += taken


def _split(text: str, line: int, delimiter: str, quote: str, escape: str) -> _Record | None:
    """The fields of one record, or `None` where a quoted field is still open at its end."""
    if quote not in text:
        return _Record(tuple(text.split(delimiter)), line)
    fields: list[str] = []
    at, sound = 0, True
    while True:
        value = ""
        if text[at : at + 1] == quote:
            value, at = _quoted(text, at + 1, quote, escape)
            if at < 0:
                return None
            sound = sound and (at == len(text) or text.startswith(delimiter, at))
        stop = text.find(delimiter, at)
        fields.append(value + (text[at:] if stop < 0 else text[at:stop]))
        if stop < 0:
            return _Record(tuple(fields), line, sound)
        at = stop + 1


def _quoted(text: str, at: int, quote: str, escape: str) -> tuple[str, int]:
    """The value of a quoted field that began before `at`, and the place after it (-1: never closed)."""
    value = ""
    while True:
        stop = text.find(quote, at)
        if stop < 0:
            return value, -1
        if escape != quote and stop > at and text[stop - 1] == escape:
            value += text[at : stop - 1] + quote
            at = stop + 1
        elif escape == quote and text[stop + 1 : stop + 2] == quote:
            value += text[at:stop] + quote
            at = stop + 2
        else:
            return value + text[at:stop], stop + 1
