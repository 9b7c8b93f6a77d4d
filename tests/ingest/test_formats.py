"""Formats by ending and by content."""

from __future__ import annotations

import io

import pytest

from ingest.harness import pdf, workbook
from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest import formats

PARQUET = b"PAR1\0\0\0\0PAR1"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def settled(promised: str | None, data: bytes) -> str:
    return formats.settled(promised, data[: formats.HEAD_BYTES], io.BytesIO(data), "x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.CSV", "csv"),
        ("a.tsv.gz", "tsv"),
        ("a.json.zst", "json"),
        ("a.jsonl", "ndjson"),
        ("a.xlsm", "excel"),
        ("a.geojson", "json"),
        ("a.gz", None),
        ("a", None),
        ("a.exe", None),
    ],
)
def test_endings_promise_a_format(name: str, expected: str | None) -> None:
    assert formats.by_name(name) == expected


@pytest.mark.parametrize(
    ("promised", "data", "expected"),
    [
        ("csv", PARQUET, "parquet"),
        ("csv", workbook({"a": [["x"]]}), "excel"),
        ("csv", b'{"a": 1}\n{"a": 2}\n', "ndjson"),
        ("csv", b'[{"a": 1}]', "json"),
        ("json", b"a,b\n1,2\n3,4\n", "csv"),
        ("json", b'{"a": 1}\n{"a": 2}\n', "ndjson"),
        ("ndjson", b'[{"a": 1}]', "json"),
        ("text", pdf(["x"]), "pdf"),
        ("excel", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "excel"),
    ],
)
def test_certain_content_of_the_same_kind_wins(promised: str, data: bytes, expected: str) -> None:
    assert settled(promised, data) == expected


@pytest.mark.parametrize(
    ("promised", "data"),
    [
        ("csv", PNG),
        ("csv", b"<!DOCTYPE html><html><body>Please log in</body></html>"),
        ("json", b"<html><head></head></html>"),
        ("csv", pdf(["x"])),
        ("text", PARQUET),
        ("parquet", b"a,b\n1,2\n"),
        ("pdf", b"just text"),
        ("excel", b"PK\x03\x04not a workbook"),
        (None, PNG),
        ("csv", b"\x7fELF\x02\x01\x01\0"),
        ("csv", bytes(range(256)) * 10),
    ],
)
def test_content_that_contradicts_the_ending_is_refused(promised: str | None, data: bytes) -> None:
    with pytest.raises(UnreadableSource):
        settled(promised, data)


@pytest.mark.parametrize(
    "data",
    [b"PAR1,PAR2\n1,2\n", b"MZ,intensity\n1,2\n", b"[x],y\n1,2\n", b"GIF8,b\n1,2\n", "a,b\n1,é\n".encode("utf-16")],
)
def test_text_that_begins_like_something_else_stays_text(data: bytes) -> None:
    assert settled("csv", data) == "csv"
