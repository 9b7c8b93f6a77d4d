"""JSON and JSON lines as rows: objects become rows, what is nested stays nested.

The whole file is looked at for types before it is read (a sample would let the engine round `2.5`
to an integer later on). Lines that are not JSON are set aside by a slow pass that runs only after
the fast one has failed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest import csv_text, formats
from mcp_lakehouse.ingest.csv_types import rounds, whole_numbers
from mcp_lakehouse.ingest.engine import Job, literal, reading
from mcp_lakehouse.ingest.reader import select
from mcp_lakehouse.ingest.rejects import MAX_TEXT_CHARS
from mcp_lakehouse.ingest.types import UNKNOWN, UTC_TIMESTAMP, quoted, stored
from mcp_lakehouse.ingest.writing import Columns
from mcp_lakehouse.limits import MIB
from mcp_lakehouse.names import check_column_count, column_names
from mcp_lakehouse.table.types import List, Map, Scalar, SqlType, Struct, parse_type

_OBJECT_BYTES = 16 * MIB
_MOST_OBJECT_BYTES = 1024 * MIB
_ANONYMOUS = "json"
_IN_FILE = re.compile(r' in file "[^"]*",')
_NUMBERED = re.compile(r"(.+)_\d+")


class JsonReader:
    """One JSON file: an array of objects, one object, or one object on each line (`lines`)."""

    def __init__(self, job: Job, path: Path, name: str, *, lines: bool) -> None:
        self._job = job
        self.name = name
        self.bytes = path.stat().st_size
        self._rejected: list[tuple[str, int | None, str | None, str, str]] = []
        self._more_rejected = 0
        self._notes: list[str] = []
        self._path = csv_text.prepare(job, path, name).path
        self._format = "newline_delimited" if lines else "auto"
        self._object_bytes = _OBJECT_BYTES
        # Features as rows, their geometry as well-known text; under any other name the document stays as it is.
        self._features = formats.suffix_of(name) == ".geojson" and b'"FeatureCollection"' in _head(self._path)
        _check_whole(self._path, name)
        try:
            self._describe()
        except UnreadableSource as error:
            self.set_aside(error)

    # What the file holds ----------------------------------------------------------------------

    @property
    def columns(self) -> Columns:
        """Names and stored types."""
        return self._columns

    def reads_as(self, name: str, wanted: str) -> bool:
        """Dates are texts in JSON, so they may stay texts; whole numbers may be read as floating ones."""
        kind = next(kind for each, kind in self._columns if each.casefold() == name.casefold())
        if wanted == "VARCHAR":
            return kind in ("DATE", UTC_TIMESTAMP)
        return wanted == "DOUBLE" and kind in ("BIGINT", "DECIMAL(38,0)") and not self._rounds(name)

    def _rounds(self, name: str) -> bool:
        """Whether a DOUBLE would change one of a column's whole numbers."""
        raw = next(
            raw for (each, _), raw in zip(self._columns, self._raw, strict=True) if each.casefold() == name.casefold()
        )
        if self._renamed:
            return True
        source = self._source([f"columns={{{literal(raw)}: 'VARCHAR'}}"])
        return bool(self._job.rows(f"SELECT 1 FROM {source} WHERE {rounds(quoted(raw))} LIMIT 1"))

    def _describe(self) -> None:
        found = self._described("")
        if [name for name, _ in found] == [_ANONYMOUS] and found[0][1].startswith("MAP"):
            # So many keys that the engine took the records themselves for maps.
            found = self._described("map_inference_threshold=-1")
        self._check_records(found)
        check_column_count(len(found), self._job.columns_limit, self.name)
        self._raw = [name for name, _ in found]
        names, self._notes = column_names(self._raw)
        # Keys that differ only in case get numbers from the engine, which it does not accept back.
        self._renamed = self._features or any(_is_numbered(name, self._raw) for name in self._raw)
        exact = self._exact([name for name, kind in found if kind == "DOUBLE"])
        kinds = [(name, exact.get(name) or self._settled(name, kind)) for name, kind in found]
        self._types = dict(kinds)
        self._columns = [(name, stored(kind)) for name, (_, kind) in zip(names, kinds, strict=True)]

    def _described(self, extra: str) -> list[tuple[str, str]]:
        source = self._source(["sample_size=-1", "dateformat='%Y-%m-%d'", *([extra] if extra else [])])
        try:
            with reading(self.name, self._path):
                rows = self._job.connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        except UnreadableSource as error:
            if "maximum_object_size" not in error.message or self._object_bytes != _OBJECT_BYTES:
                raise
            # The engine keeps two buffers of this size for each thread, so it grows only when it must.
            self._object_bytes = min(self.bytes + 1, _MOST_OBJECT_BYTES)
            return self._described(extra)
        return [(str(row[0]), str(row[1])) for row in rows]

    def _check_records(self, found: list[tuple[str, str]]) -> None:
        name, kind = found[0]
        if len(found) > 1 or name != _ANONYMOUS:
            return
        if kind == "JSON" and not self._job.rows(f"SELECT 1 FROM {self._source([])} LIMIT 1"):
            raise UnreadableSource(f"{self.name} holds no records", hint="an empty list has nothing to load")
        if kind in ("JSON", "MAP(VARCHAR, JSON)"):
            raise UnreadableSource(
                f"{self.name} holds JSON that is no table: its values are not objects with fields",
                hint="make it a list of objects, or one object on each line",
            )

    def _settled(self, name: str, kind: str) -> str:
        """The type to read a column as: dates only where they are written as such throughout."""
        plain = _without_guesses(parse_type(kind))
        if kind != "DATE" or self._renamed:
            return str(plain)
        shape = "'\\d{4}-\\d{2}-\\d{2}'"
        source = self._source([f"columns={{{literal(name)}: 'VARCHAR'}}"])
        odd = f"SELECT 1 FROM {source} WHERE NOT regexp_full_match({quoted(name)}, {shape}) LIMIT 1"
        return "VARCHAR" if self._job.rows(odd) else "DATE"

    def _exact(self, floating: list[str]) -> dict[str, str]:
        """Other types for columns that the engine takes for DOUBLE, of whole numbers that one would round."""
        if not floating or self._renamed:
            return {}
        found: dict[str, str] = {}
        shape = ", ".join(literal(name) + ": 'VARCHAR'" for name in floating)
        source = self._source([f"columns={{{shape}}}"])
        sums = ", ".join(whole_numbers(quoted(name)) for name in floating)
        counts = [int(str(count)) for count in self._job.rows(f"SELECT {sums} FROM {source}")[0]]
        for place, name in enumerate(floating):
            rounded, others, vast, endless = counts[4 * place : 4 * place + 4]
            if endless:
                self._notes.append(f"column {name!r}: {endless:,} numbers beyond the range of DOUBLE became infinite")
            if rounded and others:
                self._notes.append(f"column {name!r}: {rounded:,} whole numbers with too many digits were rounded")
            elif rounded:
                found[name] = "VARCHAR" if vast else "DECIMAL(38,0)"
            if rounded and vast and not others:
                self._notes.append(f"column {name!r} is kept as text: {vast:,} numbers have more than 38 digits")
        return found

    # Reading ----------------------------------------------------------------------------------

    def query(self, wanted: Columns) -> str:
        """A SELECT of the wanted columns."""
        kinds = {name.casefold(): kind for name, kind in wanted}
        have = {name.casefold(): quoted(raw) for (name, _), raw in zip(self._columns, self._raw, strict=True)}
        if self._renamed:
            return select(wanted, have, self._source(["sample_size=-1", "dateformat='%Y-%m-%d'"]))
        shape = []
        for (name, kind), raw in zip(self._columns, self._raw, strict=True):
            target = kinds[name.casefold()]
            read = target if target in ("VARCHAR", "DOUBLE") else self._types[raw] if kind != UNKNOWN else "VARCHAR"
            shape.append(f"{literal(raw)}: {literal(read)}")
        return select(wanted, have, self._source([f"columns={{{', '.join(shape)}}}"]))

    def _source(self, options: list[str]) -> str:
        parts = [
            literal(str(self._path)),
            f"format='{self._format}'",
            f"maximum_object_size={self._object_bytes}",
            "hive_partitioning=false",
            "compression='none'",
            f"geojson={str(self._features).lower()}",
            *options,
        ]
        return f"read_json({', '.join(parts)})"

    # Accounting -------------------------------------------------------------------------------

    def inspect(self, rows: int | None) -> int:
        """Rejected lines."""
        del rows
        return len(self._rejected) + self._more_rejected

    def expected(self) -> int | None:
        """Not told: the engine reads JSON whole or fails."""
        return None

    def finish(self) -> None:
        """Rejected lines to the log, notes to the job."""
        self._job.rejects.add_many(self._rejected, more=self._more_rejected)
        for note in self._notes:
            self._job.note(f"{self.name}: {note}")

    def set_aside(self, error: UnreadableSource) -> None:
        """Copy the good lines of JSON lines to a file of their own, after the engine met `error`.

        Raises `UnreadableSource` if that does not help: no line is bad, or too many are.
        """
        target = csv_text.staged(self._job, ".ndjson")
        kept = bad = 0
        first = ""
        with self._path.open("rb") as source, target.open("xb") as out:
            for number, line in enumerate(iter(lambda: source.readline(_OBJECT_BYTES), b""), start=1):
                reason = _fault(line)
                if reason is None:
                    out.write(line)
                    kept += bool(line.strip())
                    continue
                bad += 1
                first = first or f"line {number}: {reason}"
                if len(self._rejected) < self._job.rejects.room:
                    text = line[: 4 * MAX_TEXT_CHARS].decode("utf-8", "backslashreplace").rstrip("\r\n")
                    self._rejected.append((self.name, number, None, reason, text))
        self._more_rejected = bad - len(self._rejected)
        if not bad or kept <= bad:
            self._rejected, self._more_rejected = [], 0
            raise self._refusal(error, kept, bad, first)
        self._path, self._format = target, "newline_delimited"
        self._describe()

    def _refusal(self, error: UnreadableSource, kept: int, bad: int, first: str) -> UnreadableSource:
        # The engine may read a copy, whose name says nothing to the user.
        whole = UnreadableSource(_IN_FILE.sub(" in it,", error.message), hint=error.hint)
        if not bad or (not kept and self._format != "newline_delimited"):
            return whole
        return UnreadableSource(
            f"{self.name} cannot be read: {bad:,} of its {kept + bad:,} lines are bad, the first is {first}",
            hint="with fewer bad lines than good ones the good ones are loaded; check how the file was made",
        )


def _head(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(formats.HEAD_BYTES)


def _check_whole(path: Path, name: str) -> None:
    """Raise for a list that was cut off behind a comma: the engine would take what is there for all of it."""
    with path.open("rb") as source:
        start = source.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        source.seek(max(0, path.stat().st_size - 64))
        if start == b"[" and source.read().rstrip()[-1:] not in (b"]", b"}"):
            raise UnreadableSource(f"{name} is cut off: its list is never closed", hint="fetch or export it again")


def _fault(line: bytes) -> str | None:
    """Why a line is no JSON object; `None` if it is one, or blank."""
    if not line.strip():
        return None
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
    try:
        value = json.loads(text, object_pairs_hook=_distinct)
    except _Repeated as error:
        return f"the key {str(error)[:100]!r} stands twice in one object"
    except RecursionError:
        return "nested too deeply"
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} (character {error.pos + 1})"
    if not isinstance(value, dict):
        return "not a JSON object"
    if "\\u" in text and not _encodable(value):
        return "half of a surrogate pair"
    return None


class _Repeated(ValueError):
    """A key that stands twice in one object."""


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _Repeated(next(key for key, count in counts.items() if count > 1))
    return found


def _encodable(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _without_guesses(found: SqlType) -> SqlType:
    """What the engine guessed from texts (dates in objects, times, identifiers) and mixtures stay text."""
    match found:
        case Scalar(name):
            return Scalar("VARCHAR") if name in ("DATE", "TIME", "UUID", "JSON") else found
        case List(element):
            return List(_without_guesses(element))
        case Map(key, value):
            return Map(key, _without_guesses(value))
        case Struct(fields):
            return Struct(tuple((name, _without_guesses(kind)) for name, kind in fields))
    return found


def _is_numbered(name: str, names: list[str]) -> bool:
    found = _NUMBERED.fullmatch(name)
    return found is not None and any(found.group(1).casefold() == other.casefold() for other in names)
