"""The façade on real files: load, describe, query, change, restore, rebuild."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import (
    Cancelled,
    InvalidInput,
    LakehouseError,
    NotAllowed,
    NotFound,
    SchemaMismatch,
    UnsupportedLake,
)
from mcp_lakehouse.records import Json

PEOPLE = "id,name,city\n1,Ada,London\n2,Grace,New York\n3,Edsger,Austin\n"


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lakehouse]:
    (tmp_path / "files").mkdir()
    with Lakehouse.open(tmp_path / "lake", allow=[tmp_path / "files"]) as opened:
        yield opened


def put(lake: Lakehouse, name: str, text: str) -> Path:
    path = lake.settings.allowed_roots[0] / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(lake: Lakehouse, statement: str) -> list[list[Json]]:
    return lake.sql(statement).rows


def test_a_file_becomes_a_dataset_that_can_be_described_and_queried(lake: Lakehouse) -> None:
    report = lake.ingest(put(lake, "people.csv", PEOPLE), description="who", key=["id"], text=["name"])
    assert (report.dataset, report.version, report.rows_added, report.unchanged) == ("people", 0, 3, False)
    assert [(each.column, each.type) for each in report.inferred] == [
        ("id", "BIGINT"), ("name", "VARCHAR"), ("city", "VARCHAR"),
    ]  # fmt: skip
    described = lake.describe_dataset("people")
    assert (described.rows, described.description, described.key) == (3, "who", ["id"])
    column = described.columns[0]
    assert (column.name, column.distinct, column.min, column.max, column.nulls) == ("id", 3, 1, 3, 0)
    assert described.sample[0] == [1, "Ada", "London"]
    assert described.lineage[0].rows == 3
    listed = lake.list_datasets().datasets[0]
    assert (listed.name, listed.rows, listed.columns, listed.version, listed.searchable) == ("people", 3, 3, 0, False)
    assert rows(lake, "SELECT name FROM people WHERE city = 'Austin'") == [["Edsger"]]


def test_the_same_bytes_twice_are_one_version_and_one_copy(lake: Lakehouse) -> None:
    first = lake.ingest(put(lake, "people.csv", PEOPLE))
    second = lake.ingest(put(lake, "people.csv", PEOPLE))
    copy = lake.ingest(put(lake, "copy.csv", PEOPLE), dataset="people")
    assert [first.unchanged, second.unchanged, copy.unchanged] == [False, True, True]
    assert {first.version, second.version, copy.version} == {0}
    assert rows(lake, "SELECT count(*) FROM people") == [[3]]
    replaced = lake.ingest(put(lake, "people.csv", PEOPLE), mode="replace")
    again = lake.ingest(put(lake, "people.csv", PEOPLE), mode="replace")
    assert (replaced.unchanged, again.unchanged) == (False, True)
    # After a replacement with other bytes the old ones are new again.
    lake.ingest(put(lake, "other.csv", "id,name,city\n9,Alan,Wilmslow\n"), dataset="people", mode="replace")
    back = lake.ingest(put(lake, "people.csv", PEOPLE))
    assert (back.unchanged, back.rows_added) == (False, 3)
    assert rows(lake, "SELECT count(*) FROM people") == [[4]]


def test_a_folder_loads_only_what_is_new(lake: Lakehouse) -> None:
    folder = lake.settings.allowed_roots[0] / "days"
    folder.mkdir()
    (folder / "a.csv").write_text("day,n\n2026-01-01,1\n")
    (folder / "b.csv").write_text("day,n\n2026-01-02,2\n")
    assert lake.ingest(folder).rows_added == 2
    (folder / "c.csv").write_text("day,n\n2026-01-03,3\n")
    report = lake.ingest(str(folder))
    assert (report.dataset, report.rows_added, report.version) == ("days", 1, 1)
    assert rows(lake, "SELECT sum(n), max(day) FROM days") == [[6, "2026-01-03"]]


def test_schemas_grow_and_what_does_not_fit_is_refused_with_both_shown(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "t.csv", "a,b\n1,x\n"))
    report = lake.ingest(put(lake, "t2.csv", "a,c\n2.5,2026-01-01\n"), dataset="t")
    assert report.version == 1
    assert rows(lake, "SELECT * FROM t ORDER BY a") == [[1.0, "x", None], [2.5, None, "2026-01-01"]]
    with pytest.raises(SchemaMismatch) as caught:
        lake.ingest(put(lake, "t3.csv", "a,b\nword,x\n"), dataset="t")
    assert "DOUBLE" in str(caught.value)
    assert "VARCHAR" in str(caught.value)
    assert rows(lake, "SELECT count(*) FROM t") == [[2]]


def test_old_versions_stay_readable_and_can_come_back(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "t.csv", "a\n1\n"))
    lake.ingest(put(lake, "u.csv", "a\n2\n"), dataset="t")
    assert rows(lake, "SELECT count(*) FROM t AT (VERSION => 0)") == [[1]]
    with pytest.raises(NotFound, match="version"):
        rows(lake, "SELECT count(*) FROM t AT (VERSION => 99)")
    with pytest.raises(InvalidInput):
        lake.restore_dataset("t")
    restored = lake.restore_dataset("t", 0)
    assert (restored.dataset, restored.version) == ("t", 2)
    assert rows(lake, "SELECT a FROM t") == [[1]]
    operations = rows(lake, "SELECT operation, from_version, to_version FROM system.operations ORDER BY to_version")
    assert operations == [["append", None, 0], ["append", 0, 1], ["restore", 1, 2]]


def test_a_dropped_dataset_is_gone_until_it_is_restored(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "t.csv", "a\n1\n"))
    with pytest.raises(InvalidInput, match="confirm"):
        lake.drop_dataset("t", "yes")
    lake.drop_dataset("t", "t")
    assert lake.list_datasets().datasets == []
    for statement in ("SELECT * FROM t", "SELECT * FROM t AT (VERSION => 0)"):
        with pytest.raises(NotFound, match="dropped"):
            rows(lake, statement)
    assert rows(lake, "SELECT count(*) FROM system.datasets") == [[0]]
    lake.restore_dataset("t")
    assert rows(lake, "SELECT a FROM t") == [[1]]
    lake.drop_dataset("t", "t")
    fresh = lake.ingest(put(lake, "new.csv", "b\nx\n"), dataset="t")
    assert fresh.rows_added == 1
    assert rows(lake, "SELECT * FROM t") == [["x"]]


def test_upsert_replaces_by_key_and_adds_the_rest(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "people.csv", PEOPLE), key=["id"])
    report = lake.ingest(
        put(lake, "new.csv", "id,name,city\n2,Grace H.,Arlington\n4,Barbara,Boston\n"), "people", "upsert"
    )
    assert (report.rows_added, report.rows_updated) == (1, 1)
    assert rows(lake, "SELECT id, name FROM people ORDER BY id") == [
        [1, "Ada"], [2, "Grace H."], [3, "Edsger"], [4, "Barbara"],
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="key"):
        lake.ingest(put(lake, "k.csv", "x\n1\n"), "keyless", "upsert")


def test_bad_rows_are_kept_aside_with_their_lines(lake: Lakehouse) -> None:
    good = "".join(f"{i},name {i}\n" for i in range(1000))
    report = lake.ingest(put(lake, "ragged.csv", "id,name\n" + good + "7,too,many,fields\n8,fine\n"))
    assert (report.rows_added, report.rows_rejected) == (1001, 1)
    assert report.rejects_uri is not None
    rejected = lake.read_result(report.rejects_uri)
    names = [column.name for column in rejected.columns]
    assert rejected.row_count == 1
    assert dict(zip(names, rejected.rows[0], strict=True))["line"] == 1002
    assert rows(lake, "SELECT dataset, line FROM system.rejects") == [["ragged", 1002]]


def test_everything_is_rebuilt_from_the_bucket(lake: Lakehouse, tmp_path: Path) -> None:
    lake.ingest(put(lake, "people.csv", PEOPLE), description="who", key=["id"])
    before = lake.describe_dataset("people")
    lake.close()
    shutil.rmtree(tmp_path / "lake" / "_cache")
    moved = tmp_path / "elsewhere"
    shutil.move(tmp_path / "lake", moved)
    with Lakehouse.open(moved) as again:
        assert again.describe_dataset("people") == before


def test_compaction_keeps_all_rows_in_fewer_files(lake: Lakehouse) -> None:
    for number in range(5):
        lake.ingest({"text": f"a,b\n{number},x{number}\n", "name": "t.csv"})
    lake.compact("t")
    assert rows(lake, "SELECT count(*), sum(a), count(DISTINCT b) FROM t") == [[5, 10, 5]]
    assert rows(lake, "SELECT files FROM system.datasets") == [[1]]
    assert rows(lake, "SELECT count(*) FROM t AT (VERSION => 4)") == [[5]]


def test_names_in_any_script(lake: Lakehouse) -> None:
    report = lake.ingest(put(lake, "Москва 2026.csv", "имя,число\nАнна,1\n"))
    assert report.dataset == "москва_2026"
    assert rows(lake, "SELECT имя FROM москва_2026") == [["Анна"]]
    with pytest.raises(InvalidInput, match="name"):
        lake.ingest(put(lake, "x.csv", "a\n1\n"), dataset="no good; name")


def test_a_cancelled_load_leaves_the_last_version(lake: Lakehouse) -> None:
    lake.ingest({"text": "a\n1\n", "name": "t.csv"})
    big = put(lake, "big.csv", "a\n" + "1\n" * 3_000_000)
    token = CancelToken()

    def progress(*_: object) -> None:
        token.cancel()

    with pytest.raises(Cancelled):
        lake.ingest(big, dataset="t", progress=progress, cancel=token)
    assert rows(lake, "SELECT count(*) FROM t") == [[1]]


def test_two_loads_at_once_lose_nothing(lake: Lakehouse) -> None:
    failures: list[BaseException] = []

    def load(number: int) -> None:
        try:
            for part in range(3):
                lake.ingest({"text": f"a\n{number * 10 + part}\n", "name": "t.csv"})
        except LakehouseError as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(lake, "SELECT count(*), count(DISTINCT a) FROM t") == [[6, 6]]


def test_a_read_only_lake_refuses_changes_and_answers_questions(lake: Lakehouse, tmp_path: Path) -> None:
    lake.ingest({"text": "a\n1\n", "name": "t.csv"})
    with Lakehouse.open(tmp_path / "lake", read_only=True) as closed:
        assert rows(closed, "SELECT a FROM t") == [[1]]
        for change in (
            lambda: closed.ingest({"text": "a\n2\n", "name": "t.csv"}),
            lambda: closed.drop_dataset("t", "t"),
            lambda: closed.restore_dataset("t", 0),
            lambda: closed.compact("t"),
        ):
            with pytest.raises(NotAllowed):
                change()


def test_errors_are_in_the_journal(lake: Lakehouse) -> None:
    with pytest.raises(NotFound):
        lake.sql("SELECT * FROM nowhere")
    found = rows(lake, "SELECT code, operation, message FROM system.errors")
    assert found == [["not_found", "sql", "there is no dataset 'nowhere'"]]


def test_a_newer_or_damaged_lake_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "_lakehouse.json").write_text(json.dumps({"format": 999}))
    with pytest.raises(UnsupportedLake, match="999"):
        Lakehouse.open(tmp_path)
    (tmp_path / "_lakehouse.json").write_text("{")
    with pytest.raises(UnsupportedLake, match="damaged"):
        Lakehouse.open(tmp_path)


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        # Root may write anywhere; a file in the folder's place is what it cannot get past.
        (tmp_path / "lake").write_text("not a folder")
    else:
        (tmp_path / "lake").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(LakehouseError) as caught, Lakehouse.open(tmp_path / "lake") as lake:
        lake.ingest({"text": "a\n1\n", "name": "t.csv"})
    assert caught.value.hint


def test_a_missing_data_file_is_named_as_such(lake: Lakehouse, tmp_path: Path) -> None:
    lake.ingest({"text": "a\n1\n", "name": "t.csv"})
    for file in (tmp_path / "lake" / "tables" / "t").glob("*.parquet"):
        file.unlink()
    with pytest.raises(LakehouseError, match="could not be read") as caught:
        lake.sql("SELECT * FROM t")
    assert str(tmp_path) not in str(caught.value)


def test_whole_numbers_become_decimals_only_where_that_changes_none(lake: Lakehouse) -> None:
    lake.ingest({"text": "a\n9007199254740993\n", "name": "big.csv"})
    with pytest.raises(SchemaMismatch):
        lake.ingest({"text": "a\n0.5\n", "name": "big.csv"})
    lake.ingest({"text": "a\n7\n", "name": "small.csv"}, key=["a"])
    lake.ingest({"text": "a\n7\n8\n", "name": "small.csv"}, mode="upsert")
    assert rows(lake, "SELECT typeof(a), a FROM small ORDER BY a") == [["BIGINT", 7], ["BIGINT", 8]]
    lake.ingest({"text": "a\n0.5\n", "name": "small.csv"})
    assert rows(lake, "SELECT typeof(a), a FROM small ORDER BY a") == [
        ["DOUBLE", 0.5],
        ["DOUBLE", 7.0],
        ["DOUBLE", 8.0],
    ]
    assert rows(lake, "SELECT typeof(a) FROM small AT (VERSION => 0)") == [["BIGINT"]]


def test_what_a_restoration_undid_can_be_loaded_again_and_what_it_kept_cannot(lake: Lakehouse) -> None:
    first, second = {"text": "a\n1\n", "name": "t.csv"}, {"text": "a\n2\n", "name": "t.csv"}
    lake.ingest(first)
    lake.ingest(second)
    lake.restore_dataset("t", 0)
    assert lake.ingest(first).unchanged
    assert [entry.rows for entry in lake.describe_dataset("t").lineage] == [1]
    assert lake.ingest(second).rows_added == 1
    assert rows(lake, "SELECT a FROM t ORDER BY a") == [[1], [2]]


def test_one_unreadable_table_does_not_hide_the_others(lake: Lakehouse, tmp_path: Path) -> None:
    lake.ingest({"text": "a\n1\n", "name": "good.csv"})
    log = tmp_path / "lake" / "tables" / "foreign" / "_delta_log"
    log.mkdir(parents=True)
    protocol = {"protocol": {"minReaderVersion": 99, "minWriterVersion": 99}}
    (log / f"{0:020d}.json").write_text(json.dumps(protocol))
    listed = lake.list_datasets()
    assert ([dataset.name for dataset in listed.datasets], listed.unreadable) == (["good"], ["foreign"])
    with pytest.raises(UnsupportedLake):
        lake.describe_dataset("foreign")


def test_an_upsert_by_another_key_is_refused_and_surprises_are_told(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "people.csv", PEOPLE), key=["id"])
    with pytest.raises(InvalidInput, match="has the key id"):
        lake.ingest(put(lake, "up.csv", "id,name,city\n1,A,London\n"), "people", "upsert", key=["city"])
    with pytest.raises(SchemaMismatch, match="shares no column"):
        lake.ingest(put(lake, "planes.csv", "tail,seats\nN1,4\n"), "people")
    edited = lake.ingest(put(lake, "people.csv", PEOPLE + "4,Barbara,Boston\n"))
    assert any("was loaded before" in note for note in edited.notes)
    grown = lake.ingest(put(lake, "more.csv", "id,email\n5,x@example.org\n"), "people")
    assert any("new columns" in note and "email" in note for note in grown.notes)


def test_all_rows_come_as_arrow(lake: Lakehouse) -> None:
    result = lake.sql("SELECT i, i::VARCHAR AS s FROM range(5000) t(i)")
    assert result.truncated
    assert result.result_uri is not None
    table = lake.arrow(result.result_uri)
    assert (table.num_rows, table.column_names, table["i"][4999].as_py()) == (5000, ["i", "s"], 4999)


def test_an_upsert_on_a_key_that_was_not_unique_says_what_it_did(lake: Lakehouse) -> None:
    lake.ingest({"text": "k,v,w\n1,a,x\n1,b,y\n", "name": "t.csv"})
    report = lake.ingest({"text": "k,v\n1,c\n", "name": "t.csv"}, mode="upsert", key=["k"])
    assert any("not unique" in note for note in report.notes)
    assert any("does not have" in note and "w" in note for note in report.notes)
    assert rows(lake, "SELECT * FROM t") == [[1, "c", None]]
