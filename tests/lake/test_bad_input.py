"""What cannot be loaded or asked for: each is an error that says what to do next, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lake.places import PEOPLE, Place, folder_place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import (
    InvalidInput,
    LakehouseError,
    LimitExceeded,
    NotAllowed,
    NotFound,
    StatementFailed,
    StatementRefused,
    UnreadableSource,
)

WIDE = 10_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A lake beside files of every bad kind."""
    place = folder_place(tmp_path_factory.mktemp("bad"))
    outside = place.files.parent / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("a\n1\n")
    files = place.files
    os.mkfifo(files / "pipe.csv")
    (files / "link_out.csv").symlink_to(outside / "secret.csv")
    (files / "link_to_nothing.csv").symlink_to(files / "nothing.csv")
    (files / "folder_out").symlink_to(outside)
    for name, data in {
        "empty.csv": b"",
        "blank.csv": b"\n\n\n",
        "wide.csv": (",".join(f"c{i}" for i in range(WIDE)) + "\n" + ",".join("1" * WIDE) + "\n").encode(),
        "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        "cut.parquet": b"PAR1" + bytes(100),
        "page.csv": b"<!doctype html><html><body>please log in</body></html>",
        "archive.zip": b"PK\x03\x04" + bytes(100),
        "locked.pdf": b"%PDF-1.4 nothing else",
    }.items():
        (files / name).write_bytes(data)
    (files / "nothing_to_load").mkdir()
    return place


@pytest.fixture(scope="module")
def bad(place: Place) -> Iterator[Lakehouse]:
    with place.open() as lake:
        lake.ingest(inline("people", PEOPLE), key="id")
        yield lake


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("pipe.csv", InvalidInput, "FIFO"),
        ("/dev/zero", NotAllowed, "outside the folders"),
        ("../outside/secret.csv", NotAllowed, "outside the folders"),
        ("link_out.csv", NotAllowed, "outside the folders"),
        ("folder_out/secret.csv", NotAllowed, "outside the folders"),
        ("folder_out", NotAllowed, "outside the folders"),
        ("link_to_nothing.csv", NotFound, "link to something that is not there"),
        ("missing.csv", NotFound, "no file or folder"),
        ("*.xlsx", NotFound, "nothing matches"),
        ("nothing_to_load", NotFound, "no file that can be loaded"),
        ("empty.csv", UnreadableSource, "empty"),
        ("blank.csv", UnreadableSource, "blank lines"),
        ("wide.csv", InvalidInput, "10,000 columns"),
        ("picture.csv", UnreadableSource, "PNG"),
        ("cut.parquet", UnreadableSource, "cut.parquet"),
        ("page.csv", UnreadableSource, "HTML"),
        ("archive.zip", UnreadableSource, "zip"),
        ("locked.pdf", UnreadableSource, "locked.pdf"),
        ("https://example.org/data.csv", InvalidInput, "not supported"),
        ("s3://bucket/data.csv", InvalidInput, "not supported"),
        ("a\0b.csv", InvalidInput, "control characters"),
        ("", InvalidInput, "empty"),
        ("x" * 10_000, InvalidInput, "long"),
    ],
)
def test_a_source_that_cannot_be_loaded(
    bad: Lakehouse, place: Place, source: str, error: type[LakehouseError], said: str
) -> None:
    plain = not source or "://" in source or source.startswith("/") or len(source) > 1000
    refused(bad, {"source": source if plain else f"{place.files}/{source}"}, error, said)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"dataset": "no good; name"}, InvalidInput, "no_good_name"),
        ({"dataset": "../people"}, InvalidInput, "is not a name"),
        ({"dataset": "1st"}, InvalidInput, "is not a name"),
        ({"dataset": "system"}, InvalidInput, "reserved"),
        ({"dataset": "x" * 65}, InvalidInput, "longer than 64"),
        ({"mode": "merge"}, InvalidInput, "append, replace, upsert"),
        ({"dataset": "keyless", "mode": "upsert"}, InvalidInput, "needs a key"),
        ({"mode": "upsert", "key": ["nobody"]}, InvalidInput, "its columns: id, name, city"),
        ({"key": ["nobody"]}, InvalidInput, "its columns: id, name, city"),
        ({"text": "nobody"}, InvalidInput, "its columns: id, name, city"),
        ({"source": inline("people", "id,name,city\n,A,B\n,C,D\n"), "mode": "upsert"}, InvalidInput, "no value in the key"),
        ({"source": inline("people", "name,city\nA,B\n"), "mode": "upsert"}, InvalidInput, "no value in the key"),
        ({"source": []}, InvalidInput, "no source"),
        ({"source": {"text": "a\n1\n"}}, InvalidInput, "inline data is"),
        ({"source": inline("people", " \n ")}, InvalidInput, "empty"),
        ({"source": inline("people", "id\n" + "1" * 5_000_000)}, LimitExceeded, "4 MB"),
    ],
)  # fmt: skip
def test_arguments_of_a_load_that_make_no_sense(
    bad: Lakehouse, arguments: Mapping[str, Any], error: type[LakehouseError], said: str
) -> None:
    refused(bad, {"source": inline("people", "id,name,city\n4,Barbara,Boston\n"), **arguments}, error, said)


def refused(lake: Lakehouse, arguments: Mapping[str, Any], error: type[LakehouseError], said: str) -> None:
    before = state(lake)
    with pytest.raises(error) as caught:
        lake.ingest(**arguments)
    assert said in str(caught.value)
    assert caught.value.hint
    assert len(str(caught.value)) < 2_000
    assert state(lake) == before


def _of_a_load(path: Path) -> bool:
    # A journal writes whenever it likes.
    return path.name != ".lock" and not path.name.startswith("journal-")


def state(lake: Lakehouse) -> tuple[object, ...]:
    """Everything a refused load could have changed."""
    root = lake.bucket.local_path("tables")
    assert root is not None
    scratch = [path for path in lake._scratch.rglob("*") if path.is_file() and _of_a_load(path)]
    return sorted(root.rglob("*")), scratch


@pytest.mark.parametrize(
    ("statement", "error", "said"),
    [
        ("SELECT * FROM peeple", NotFound, "people"),
        ("SELECT nam FROM people", StatementFailed, "name"),
        ("SELECT * FROM people AT (VERSION => 7)", NotFound, "has no version 7"),
        ("SELECT * FROM people AT (TIMESTAMP => '1999-01-01')", NotFound, "version"),
        ("DELETE FROM people", StatementRefused, ""),
        ("SELECT 1; SELECT 2", StatementRefused, ""),
        ("SELECT " + "1," * 60_000 + "1", InvalidInput, "100,000"),
        ("", StatementRefused, ""),
    ],
)  # fmt: skip
def test_a_statement_that_cannot_be_answered(
    bad: Lakehouse, statement: str, error: type[LakehouseError], said: str
) -> None:
    with pytest.raises(LakehouseError) as caught:
        bad.sql(statement)
    assert isinstance(caught.value, error), repr(caught.value)
    assert said in str(caught.value)
    assert caught.value.hint


def test_odd_headers_become_columns_that_can_be_named(bad: Lakehouse) -> None:
    report = bad.ingest(inline("odd", 'a,a,A,,first name,"select","x.y","q""q",数量,🙂\n1,2,3,4,5,6,7,8,9,10\n'))
    names = [each.column for each in report.inferred]
    assert names == ["a", "a_2", "A_3", "column_4", "first name", "select", "x.y", 'q"q', "数量", "🙂"]
    assert any("repeated" in note for note in report.notes)
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    assert rows(bad, f"SELECT {quoted} FROM odd") == [list(range(1, 11))]
    assert [column.name for column in bad.describe_dataset("odd").columns] == names


def test_text_in_any_script_comes_back_as_it_was(bad: Lakehouse) -> None:
    texts = ["שלום", "مرحبا", "नमस्ते", "你好", "Ünïcödé", "👩‍👩‍👧", "e\u0301", "\u202eright to left", "𝔊𝔬𝔱𝔥"]
    bad.ingest(inline("scripts", "text\n" + "\n".join(texts) + "\n"))
    assert [row[0] for row in rows(bad, "FROM scripts")] == texts
    for text in texts:
        assert bad.sql("SELECT count(*) FROM scripts WHERE text = ?", [text]).rows == [[1]]


def test_a_header_alone_makes_an_empty_dataset_that_grows(bad: Lakehouse) -> None:
    assert bad.ingest(inline("header", "a,b\n")).rows_added == 0
    assert rows(bad, "SELECT count(*) FROM header") == [[0]]
    assert bad.describe_dataset("header").rows == 0
    assert bad.ingest(inline("header", "a,b\n1,x\n")).rows_added == 1


def test_rows_without_a_key_are_kept_aside_and_the_others_loaded(bad: Lakehouse) -> None:
    report = bad.ingest(inline("some_keys", "id,v\n1,a\n,b\n2,c\n"), mode="upsert", key="id")
    assert (report.rows_added, report.rows_rejected) == (2, 1)
    assert report.rejects_uri is not None
    rejected = bad.read_result(report.rejects_uri)
    assert "the key (id) is null" in str(rejected.rows)
    assert rows(bad, "FROM some_keys ORDER BY id") == [[1, "a"], [2, "c"]]
