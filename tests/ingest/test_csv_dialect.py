"""Dialects and types of delimited text, decided by pure functions."""

from __future__ import annotations

import pytest

from mcp_lakehouse.ingest.csv_dialect import Dialect, detect
from mcp_lakehouse.ingest.csv_types import decide, looks_dated
from mcp_lakehouse.ingest.encodings import LineCensus, decode, guess, marked


def found(sample: str, preferred: str | None = None) -> Dialect:
    dialect = detect(sample, preferred=preferred)
    assert dialect is not None
    return dialect


@pytest.mark.parametrize(
    ("sample", "delimiter", "names"),
    [
        ("a,b\n1,2\n", ",", ("a", "b")),
        ("a;b\n1,5;2,5\n3,5;4\n", ";", ("a", "b")),
        ("a\tb\nx, y\tz\n", "\t", ("a", "b")),
        ('"a, x"|b\n1|2\n', "|", ("a, x", "b")),
        ("country,2019,2020\nFrance,1,2\n", ",", ("country", "2019", "2020")),
        ("id,name\n1,x\n", ",", ("id", "name")),
    ],
)
def test_delimiter_and_header_are_found(sample: str, delimiter: str, names: tuple[str, ...]) -> None:
    dialect = found(sample)
    assert (dialect.delimiter, dialect.names, dialect.header) == (delimiter, names, True)


def test_rows_of_numbers_are_no_header() -> None:
    dialect = found("1,2\n3,4\n")
    assert (dialect.header, dialect.names) == (False, ("", ""))


def test_one_column_is_not_split_at_commas_in_its_text() -> None:
    dialect = found("text\nhello, world\nfoo\nbar, baz, qux\nz\n")
    assert dialect.names == ("text",)
    assert dialect.delimiter not in "hello, world"


def test_a_delimiter_that_the_ending_promises_wins_a_draw() -> None:
    assert found("a\tb,c\n1\t2,3\n", "\t").delimiter == "\t"
    assert found("a\tb,c\n1\t2,3\n", ",").delimiter == ","


@pytest.mark.parametrize(
    ("sample", "quote", "escape"),
    [
        ('a,b\n"x ""y""",1\n', '"', '"'),
        ('a,b\n"x \\"y\\"",1\n"p",2\n', '"', "\\"),
        ('a,b\n"ends in \\",1\n"p",2\n', '"', '"'),
        ("'a','b'\n'x, y','z'\n'1','2'\n", "'", "'"),
    ],
)
def test_quotes_and_escapes_are_found(sample: str, quote: str, escape: str) -> None:
    dialect = found(sample)
    assert (dialect.quote, dialect.escape, len(dialect.names)) == (quote, escape, 2)


def test_titles_above_the_header_are_skipped() -> None:
    dialect = found("Report,,\n,,\na,b,c\n1,2,3\n4,5,6\n")
    assert (dialect.skip, dialect.names, dialect.preamble) == (2, ("a", "b", "c"), ("Report,,", ",,"))


def test_rows_longer_or_shorter_than_the_header_are_allowed_where_they_are_the_rule() -> None:
    assert found("a,b\n1,2,3\n4,5,6\n").names == ("a", "b", "")
    assert found("a,b,\n1,2\n3,4\n").names == ("a", "b")
    assert found("a,b,c,d\n1,2\n3,4\n").short_rows


def test_blank_text_has_no_dialect() -> None:
    assert detect("\n  \n\n") is None


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"int": 5}, "BIGINT"),
        ({"int": 5, "zero": 1}, "VARCHAR"),
        ({"int": 999, "text": 1}, "BIGINT"),
        ({"int": 90, "text": 1}, "VARCHAR"),
        ({"int": 1_000_000, "text": 1_000}, "VARCHAR"),
        ({"int": 999, "number": 1}, "DOUBLE"),
        ({"int": 999, "number": 1, "text": 1}, "DOUBLE"),
        ({"long": 9, "huge": 1}, "DECIMAL(38,0)"),
        ({"int": 9_999, "odd": 1}, "VARCHAR"),
        ({"nan": 5}, "VARCHAR"),
        ({"number": 5, "nan": 1}, "DOUBLE"),
        ({"truth": 5}, "BOOLEAN"),
        ({"truth": 999, "int": 1}, "VARCHAR"),
        ({"date": 5}, "DATE"),
        ({"date": 5, "time": 1}, "TIMESTAMP WITH TIME ZONE"),
        ({"text": 5, "int": 5}, "VARCHAR"),
        ({"int": 999, "na": 50}, "BIGINT"),
        ({"int": 999, "na": 50, "text": 1}, "VARCHAR"),
        ({"na": 5}, "VARCHAR"),
        ({}, "NULL"),
    ],
)
def test_the_kinds_of_values_decide_the_type(kinds: dict[str, int], expected: str) -> None:
    assert decide(kinds).type == expected


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("31/12/2020", True),
        ("31.12.2020 10:00", True),
        ("Jan 5, 2020", True),
        ("5-Jan-2020", True),
        ("31/12/20", False),
        ("comment number 518982", False),
        ("2020", False),
    ],
)
def test_texts_that_could_be_dates_are_looked_at(example: str, expected: bool) -> None:
    assert looks_dated(example) is expected


def test_marks_show_wide_encodings() -> None:
    assert marked("é".encode("utf-16")) == "utf-16"
    assert marked("some text".encode("utf-16-le")) == "utf-16-le"
    assert marked(b"\xef\xbb\xbfabc") == "utf-8-sig"
    assert marked(b"abc" * 10) is None


def test_invalid_lines_among_valid_ones_are_damage_and_alone_another_encoding() -> None:
    census = LineCensus()
    for line in ("plain", "café"):
        census.add(line.encode())
    census.add("café".encode("latin-1"))
    assert not census.legacy
    other = LineCensus()
    other.add("café".encode("latin-1"))
    assert other.legacy
    assert guess(other.sample) == "cp1252"


def test_documents_are_decoded_whatever_they_are_in() -> None:
    assert decode("naïve".encode("utf-16")) == ("naïve", "utf-16")
    assert decode("naïve".encode("latin-1")) == ("naïve", "cp1252")
    assert decode("naïve".encode())[1] == "utf-8"
