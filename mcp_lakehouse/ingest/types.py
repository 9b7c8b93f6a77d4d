"""SQL types: which ones are stored, and which old type may safely become which new one.

Types travel as DuckDB writes them (`DECIMAL(10,2)`, `STRUCT(a BIGINT, "b c" VARCHAR[])`). A column
of which only nulls were seen has the type `NULL`, which merges with anything and is stored as VARCHAR.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from mcp_lakehouse.errors import SchemaMismatch

UTC_TIMESTAMP = "TIMESTAMP WITH TIME ZONE"
UNKNOWN = "NULL"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parts, such as BIGINT."""

    name: str


@dataclass(frozen=True, slots=True)
class Decimal:
    """DECIMAL(precision, scale); precision counts all digits, at most 38."""

    precision: int
    scale: int


@dataclass(frozen=True, slots=True)
class List:
    """LIST of one element type."""

    element: SqlType


@dataclass(frozen=True, slots=True)
class Map:
    """MAP from key to value."""

    key: SqlType
    value: SqlType


@dataclass(frozen=True, slots=True)
class Struct:
    """STRUCT of named fields, in order."""

    fields: tuple[tuple[str, SqlType], ...]


SqlType: TypeAlias = "Scalar | Decimal | List | Map | Struct"

# How wide each stored integer is, and how many decimal digits hold any of its values.
_INTEGER_DIGITS = {"TINYINT": 3, "SMALLINT": 5, "INTEGER": 10, "BIGINT": 19}
_INTEGERS = tuple(_INTEGER_DIGITS)
_MAX_DIGITS = 38
_STORED = {
    **{name: name for name in (*_INTEGERS, "BOOLEAN", "FLOAT", "DOUBLE", "DATE", "VARCHAR", "BLOB", UTC_TIMESTAMP)},
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "TIMESTAMP": UTC_TIMESTAMP,
    "TIMESTAMP_S": UTC_TIMESTAMP,
    "TIMESTAMP_MS": UTC_TIMESTAMP,
    "TIMESTAMP_NS": UTC_TIMESTAMP,
    "TIMESTAMPTZ": UTC_TIMESTAMP,
    "TIMESTAMP_TZ_NS": UTC_TIMESTAMP,
    "TIMESTAMPTZ_NS": UTC_TIMESTAMP,
    "INT": "INTEGER",
    "REAL": "FLOAT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    UNKNOWN: UNKNOWN,
}
_STORED_DECIMALS = {"UBIGINT": Decimal(20, 0), "HUGEINT": Decimal(_MAX_DIGITS, 0), "UHUGEINT": Decimal(_MAX_DIGITS, 0)}
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse(text: str) -> SqlType:
    """The type a DuckDB type text means. Types of no interest here come back as a `Scalar` of their name."""
    parser = _Parser(text)
    found = parser.type()
    parser.end()
    return found


def render(found: SqlType) -> str:
    """The DuckDB text of a type."""
    match found:
        case Scalar(name):
            return name
        case Decimal(precision, scale):
            return f"DECIMAL({precision},{scale})"
        case List(element):
            return f"{render(element)}[]"
        case Map(key, value):
            return f"MAP({render(key)}, {render(value)})"
        case Struct(fields):
            return "STRUCT(" + ", ".join(f"{quoted(name)} {render(kind)}" for name, kind in fields) + ")"


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def stored(text: str) -> str:
    """The type that a column of this type is stored as: one that Delta Lake has.

    Naive timestamps are taken as UTC; what Delta cannot hold becomes VARCHAR.
    """
    return render(_stored(parse(text)))


def stored_final(text: str) -> str:
    """As `stored`, with VARCHAR where only nulls were ever seen (inside nested types too)."""
    return render(_settled(_stored(parse(text))))


def widen(old: str, new: str) -> str | None:
    """The narrowest type that holds every value of both without loss, or `None`.

    Integers grow; FLOAT grows to DOUBLE; an integer up to INTEGER fits DOUBLE; integers and decimals
    fit a decimal with room for all digits; DATE fits a timestamp; structs, lists and maps by part.
    Nothing is ever widened to VARCHAR: that would change what comparisons mean.
    """
    found = _widen(_stored(parse(old)), _stored(parse(new)))
    return None if found is None else render(found)


def merge_columns(old: list[tuple[str, str]], new: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The columns of a dataset after rows with columns `new` joined those with columns `old`.

    Names are compared without case and the old spelling wins; columns on one side only are nullable.
    Raises `SchemaMismatch` showing both sides where a type cannot be widened.
    """
    incoming = {name.casefold(): kind for name, kind in new}
    merged: list[tuple[str, str]] = []
    clashes: set[str] = set()
    for name, kind in old:
        other = incoming.get(name.casefold(), UNKNOWN)
        wide = widen(kind, other)
        if wide is None:
            clashes.add(name.casefold())
        merged.append((name, wide or kind))
    known = {name.casefold() for name, _ in old}
    merged.extend((name, kind) for name, kind in new if name.casefold() not in known)
    if clashes:
        raise SchemaMismatch(
            "the new data does not fit the dataset's columns (differing lines are marked !)\n"
            + side_by_side(old, new, clashes),
            hint="mend the marked columns in the source, load into another dataset, or replace this one "
            '(mode="replace")',
        )
    return merged


def side_by_side(
    old: list[tuple[str, str]], new: list[tuple[str, str]], clashes: set[str], *, max_lines: int = 60
) -> str:
    """Both schemas as a table; lines whose casefolded name is in `clashes` are marked and come first."""
    incoming = {name.casefold(): kind for name, kind in new}
    rows = [(name, kind, incoming.get(name.casefold(), "-")) for name, kind in old]
    known = {name.casefold() for name, _ in old}
    rows += [(name, "-", kind) for name, kind in new if name.casefold() not in known]
    if len(rows) > max_lines:
        rows.sort(key=lambda row: row[0].casefold() not in clashes)
    shown = [("column", "dataset", "new data"), *rows[:max_lines]]
    widths = [min(40, max(len(row[place]) for row in shown)) for place in range(2)]
    lines = []
    for name, kind, other in shown:
        mark = "!" if name.casefold() in clashes else "+" if kind == "-" else " "
        lines.append(f"{mark} {name:<{widths[0]}}  {kind:<{widths[1]}}  {other}")
    if len(rows) > max_lines:
        lines.append(f"  … and {len(rows) - max_lines} more columns")
    return "\n".join(lines)


def _stored(found: SqlType) -> SqlType:
    match found:
        case Scalar(name):
            return _STORED_DECIMALS.get(name) or Scalar(_STORED.get(name, "VARCHAR"))
        case List(element):
            return List(_stored(element))
        case Map(key, value):
            return Map(_stored(key), _stored(value))
        case Struct(fields):
            return Struct(tuple((name, _stored(kind)) for name, kind in fields))
    return found


def _settled(found: SqlType) -> SqlType:
    match found:
        case Scalar(name):
            return Scalar("VARCHAR") if name == UNKNOWN else found
        case List(element):
            return List(_settled(element))
        case Map(key, value):
            return Map(_settled(key), _settled(value))
        case Struct(fields):
            return Struct(tuple((name, _settled(kind)) for name, kind in fields))
    return found


def _widen(old: SqlType, new: SqlType) -> SqlType | None:
    if old == new or new == Scalar(UNKNOWN):
        return old
    if old == Scalar(UNKNOWN):
        return new
    match old, new:
        case Scalar(), Scalar():
            return _widen_scalars(old.name, new.name)
        case (Decimal() | Scalar()), (Decimal() | Scalar()):
            return _widen_decimals(_as_decimal(old), _as_decimal(new))
        case List(), List():
            element = _widen(old.element, new.element)
            return element and List(element)
        case Map(), Map():
            key, value = _widen(old.key, new.key), _widen(old.value, new.value)
            return Map(key, value) if key and value else None
        case Struct(), Struct():
            return _widen_structs(old, new)
    return None


def _widen_scalars(old: str, new: str) -> SqlType | None:
    pair = {old, new}
    if pair <= set(_INTEGERS):
        return Scalar(max(pair, key=_INTEGERS.index))
    if pair == {"FLOAT", "DOUBLE"} or ("DOUBLE" in pair and pair & {"TINYINT", "SMALLINT", "INTEGER"}):
        return Scalar("DOUBLE")
    if "FLOAT" in pair and pair & {"TINYINT", "SMALLINT"}:
        return Scalar("FLOAT")
    if pair == {"FLOAT", "INTEGER"}:
        return Scalar("DOUBLE")
    if pair == {"DATE", UTC_TIMESTAMP}:
        return Scalar(UTC_TIMESTAMP)
    return None


def _as_decimal(found: SqlType) -> Decimal | None:
    if isinstance(found, Decimal):
        return found
    digits = _INTEGER_DIGITS.get(found.name) if isinstance(found, Scalar) else None
    return Decimal(digits, 0) if digits else None


def _widen_decimals(old: Decimal | None, new: Decimal | None) -> Decimal | None:
    if old is None or new is None:
        return None
    scale = max(old.scale, new.scale)
    precision = max(old.precision - old.scale, new.precision - new.scale) + scale
    return Decimal(precision, scale) if precision <= _MAX_DIGITS else None


def _widen_structs(old: Struct, new: Struct) -> Struct | None:
    incoming = {name.casefold(): kind for name, kind in new.fields}
    fields: list[tuple[str, SqlType]] = []
    for name, kind in old.fields:
        wide = _widen(kind, incoming.get(name.casefold(), Scalar(UNKNOWN)))
        if wide is None:
            return None
        fields.append((name, wide))
    known = {name.casefold() for name, _ in old.fields}
    fields.extend((name, kind) for name, kind in new.fields if name.casefold() not in known)
    return Struct(tuple(fields))


class _Parser:
    """Recursive descent over one type text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def type(self) -> SqlType:
        found = self._base()
        while self._take("["):
            self._at = self._text.index("]", self._at) + 1
            found = List(found)
        return found

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise ValueError(f"not a SQL type: {self._text!r}")

    def _base(self) -> SqlType:
        word = self._word().upper()
        if not self._take("("):
            return Scalar(word)
        if word == "STRUCT":
            return self._struct()
        if word == "MAP":
            key = self.type()
            self._expect(",")
            value = self.type()
            self._expect(")")
            return Map(key, value)
        arguments = self._arguments()
        if word in ("DECIMAL", "NUMERIC"):
            precision, _, scale = arguments.partition(",")
            return Decimal(int(precision), int(scale or 0))
        return Scalar(word)

    def _struct(self) -> Struct:
        fields: list[tuple[str, SqlType]] = []
        while True:
            name = self._identifier()
            fields.append((name, self.type()))
            if not self._take(","):
                self._expect(")")
                return Struct(tuple(fields))

    def _arguments(self) -> str:
        """What stands between these parentheses (enumeration values, precision); quotes are respected."""
        start, depth, quote = self._at, 1, ""
        while depth:
            char = self._text[self._at]
            if quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            else:
                depth += (char == "(") - (char == ")")
            self._at += 1
        return self._text[start : self._at - 1]

    def _word(self) -> str:
        self._skip()
        if self._text[self._at : self._at + 1] == '"':
            return self._identifier()
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in '()[],"':
            self._at += 1
        return self._text[start : self._at].strip()

    def _identifier(self) -> str:
        self._skip()
        if not self._take('"'):
            found = _BARE.match(self._text, self._at)
            if found is None:
                raise ValueError(f"not a SQL type: {self._text!r}")
            self._at = found.end()
            return found.group()
        name = ""
        while True:
            stop = self._text.index('"', self._at)
            name += self._text[self._at : stop]
            self._at = stop + 1
            if not self._take('"', skip=False):
                return name
            name += '"'

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1] == " ":
            self._at += 1

    def _take(self, char: str, *, skip: bool = True) -> bool:
        if skip:
            self._skip()
        if self._text[self._at : self._at + 1] != char:
            return False
        self._at += 1
        return True

    def _expect(self, char: str) -> None:
        if not self._take(char):
            raise ValueError(f"not a SQL type: {self._text!r}")
