"""SQL types as values: read from the text DuckDB writes, and written back.

Pure. The grammar is that of `typeof()`: scalars, `DECIMAL(p,s)`, `T[]`, `T[n]`, `STRUCT(name T, ...)`,
`MAP(K, V)`; what a table cannot hold (`ENUM`, `UNION`, `TIME`, ...) is read as an opaque scalar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcp_lakehouse.errors import InvalidInput

DEPTH_LIMIT = 100

# Words that DuckDB does not take as a bare field name (reserved, type_function and column_name keywords).
_QUOTED = frozenset(
    """
    all analyse analyze and anti any array as asc asof asymmetric at authorization between bigint binary bit boolean
    both by case cast char character check coalesce collate collation column columns concurrently constraint create
    cross dec decimal default deferrable desc describe distinct do else end except exists extract false fetch float
    for foreign freeze from full generated glob group grouping grouping_id having ilike in initially inner inout int
    integer intersect interval into is isnull join lambda lateral leading left like limit map national natural nchar
    none not notnull null nullif numeric offset on only or order out outer overlaps overlay pivot pivot_longer
    pivot_wider placing position positional precision primary qualify real references returning right row select semi
    setof show similar smallint some struct substring summarize symmetric table tablesample then time timestamp to
    trailing treat trim true try_cast tuple union unique unpack unpivot using values varchar variadic verbose when
    where window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot
    xmlserialize xmltable
    """.split()
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(r"""\s*(?:(?P<name>"(?:[^"]|"")*")|(?P<text>'(?:[^']|'')*')|(?P<word>\w+)|(?P<mark>[()\[\],]))""")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parts, by its canonical name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Decimal:
    """Exact numbers of `precision` digits, `scale` of them behind the point."""

    precision: int
    scale: int

    def __str__(self) -> str:
        return f"DECIMAL({self.precision},{self.scale})"


@dataclass(frozen=True, slots=True)
class List:
    """Any number of elements; `length` is set where DuckDB fixes it."""

    element: SqlType
    length: int | None = None

    def __str__(self) -> str:
        return f"{self.element}[{'' if self.length is None else self.length}]"


@dataclass(frozen=True, slots=True)
class Struct:
    """Named fields, in order."""

    fields: tuple[tuple[str, SqlType], ...]

    def __str__(self) -> str:
        return f"STRUCT({', '.join(f'{quoted(name)} {type_}' for name, type_ in self.fields)})"


@dataclass(frozen=True, slots=True)
class Map:
    """Keys to values."""

    key: SqlType
    value: SqlType

    def __str__(self) -> str:
        return f"MAP({self.key}, {self.value})"


SqlType = Scalar | Decimal | List | Struct | Map


def quoted(name: str) -> str:
    """A field name as it must stand in a type: bare where DuckDB reads it so."""
    if _PLAIN.fullmatch(name) and name.lower() not in _QUOTED:
        return name
    return '"' + name.replace('"', '""') + '"'


def parse_type(text: str) -> SqlType:
    """The type that a text names. Raises `InvalidInput` for what is not a type."""
    parser = _Parser(text)
    found = parser.type(0)
    parser.end()
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0

    def type(self, depth: int) -> SqlType:
        _check_depth(depth)
        found = self._base(depth)
        while self._take("["):
            length = None if self._peek() == "]" else self._number()
            self._expect("]")
            found = List(found, length)
            depth += 1
            _check_depth(depth)
        return found

    def end(self) -> None:
        if self._peek() is not None:
            raise self._error()

    def _base(self, depth: int) -> SqlType:
        word = self._word().upper()
        if word == "STRUCT":
            return Struct(tuple(self._fields(depth)))
        if word == "MAP":
            self._expect("(")
            key = self.type(depth + 1)
            self._expect(",")
            value = self.type(depth + 1)
            self._expect(")")
            return Map(key, value)
        if word == "DECIMAL":
            self._expect("(")
            precision = self._number()
            self._expect(",")
            scale = self._number()
            self._expect(")")
            return Decimal(precision, scale)
        if word in ("TIME", "TIMESTAMP") and (self._peek() or "").upper() == "WITH":
            for each in ("WITH", "TIME", "ZONE"):
                if self._word().upper() != each:
                    raise self._error()
            return Scalar(f"{word} WITH TIME ZONE")
        if self._peek() == "(":
            self._skip_parentheses()
        return Scalar(word)

    def _fields(self, depth: int) -> Iterator[tuple[str, SqlType]]:
        self._expect("(")
        while True:
            name = self._word()
            yield (name[1:-1].replace('""', '"') if name.startswith('"') else name), self.type(depth + 1)
            if not self._take(","):
                break
        self._expect(")")

    def _skip_parentheses(self) -> None:
        depth = 0
        while True:
            token = self._pop()
            depth += (token == "(") - (token == ")")
            if depth == 0:
                return

    def _peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _pop(self) -> str:
        token = self._peek()
        if token is None:
            raise self._error()
        self._next += 1
        return token

    def _take(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._next += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self._error()

    def _word(self) -> str:
        token = self._pop()
        if token in "()[]," or token.startswith("'"):
            raise self._error()
        return token

    def _number(self) -> int:
        token = self._pop()
        if not token.isascii() or not token.isdigit():
            raise self._error()
        return int(token)

    def _error(self) -> InvalidInput:
        return _not_a_type(self._text)


def _tokens(text: str) -> Iterator[str]:
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise _not_a_type(text)
        yield match.group(match.lastgroup or 0)
        position = match.end()


def _check_depth(depth: int) -> None:
    if depth > DEPTH_LIMIT:
        raise InvalidInput(
            f"a type is nested deeper than {DEPTH_LIMIT} levels", hint="flatten the column, or load it as VARCHAR"
        )


def _not_a_type(text: str) -> InvalidInput:
    return InvalidInput(f"not a SQL type: {text[:200]!r}", hint="write types as DuckDB's typeof() does")
