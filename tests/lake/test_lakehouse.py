"""The façade on real files, the same in a folder and in object storage: load, describe, query, change, restore."""

from __future__ import annotations

import threading

import pytest

from lake.places import PEOPLE, Place, inline, put, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed, NotFound, SchemaMismatch


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
    (listed,) = lake.list_datasets(match="people").datasets
    assert (listed.name, listed.rows, listed.columns, listed.version, listed.searchable) == ("people", 3, 3, 0, True)
    assert rows(lake, "SELECT name FROM people WHERE city = 'Austin'") == [["Edsger"]]


def test_the_same_bytes_twice_are_one_version_and_one_copy(lake: Lakehouse) -> None:
    first = lake.ingest(put(lake, "twice.csv", PEOPLE))
    second = lake.ingest(put(lake, "twice.csv", PEOPLE))
    copy = lake.ingest(put(lake, "copy.csv", PEOPLE), dataset="twice")
    assert [first.unchanged, second.unchanged, copy.unchanged] == [False, True, True]
    assert {first.version, second.version, copy.version} == {0}
    assert rows(lake, "SELECT count(*) FROM twice") == [[3]]
    replaced = lake.ingest(put(lake, "twice.csv", PEOPLE), mode="replace")
    again = lake.ingest(put(lake, "twice.csv", PEOPLE), mode="replace")
    assert (replaced.unchanged, again.unchanged) == (False, True)
    # After a replacement with other bytes the old ones are new again.
    lake.ingest(put(lake, "other.csv", "id,name,city\n9,Alan,Wilmslow\n"), dataset="twice", mode="replace")
    back = lake.ingest(put(lake, "twice.csv", PEOPLE))
    assert (back.unchanged, back.rows_added) == (False, 3)
    assert rows(lake, "SELECT count(*) FROM twice") == [[4]]


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


def test_several_files_are_one_version(lake: Lakehouse) -> None:
    paths = [put(lake, "north.csv", "n\n1\n"), put(lake, "south.csv", "n\n2\n")]
    report = lake.ingest(paths, dataset="halves")
    assert (report.version, report.rows_added) == (0, 2)
    assert rows(lake, "FROM halves ORDER BY n") == [[1], [2]]


def test_schemas_grow_and_what_does_not_fit_is_refused_with_both_shown(lake: Lakehouse) -> None:
    lake.ingest(inline("grown", "a,b\n1,x\n"))
    report = lake.ingest(inline("grown", "a,c\n2.5,2026-01-01\n"))
    assert report.version == 1
    assert rows(lake, "SELECT * FROM grown ORDER BY a") == [[1.0, "x", None], [2.5, None, "2026-01-01"]]
    with pytest.raises(SchemaMismatch) as caught:
        lake.ingest(inline("grown", "a,b\nword,x\n"))
    assert "DOUBLE" in str(caught.value)
    assert "VARCHAR" in str(caught.value)
    assert rows(lake, "SELECT count(*) FROM grown") == [[2]]


def test_old_versions_stay_readable_and_can_come_back(lake: Lakehouse) -> None:
    lake.ingest(inline("past", "a\n1\n"))
    lake.ingest(inline("past", "a\n2\n"))
    assert rows(lake, "SELECT count(*) FROM past AT (VERSION => 0)") == [[1]]
    with pytest.raises(NotFound, match="version"):
        rows(lake, "SELECT count(*) FROM past AT (VERSION => 99)")
    with pytest.raises(InvalidInput):
        lake.restore_dataset("past")
    restored = lake.restore_dataset("past", 0)
    assert (restored.dataset, restored.version) == ("past", 2)
    assert rows(lake, "SELECT a FROM past") == [[1]]
    operations = rows(
        lake,
        "SELECT operation, from_version, to_version FROM system.operations WHERE dataset = 'past' ORDER BY to_version",
    )
    assert operations == [["append", None, 0], ["append", 0, 1], ["restore", 1, 2]]


def test_a_dropped_dataset_is_gone_until_it_is_restored(lake: Lakehouse) -> None:
    lake.ingest(inline("dropped", "a\n1\n"))
    with pytest.raises(InvalidInput, match="confirm"):
        lake.drop_dataset("dropped", "yes")
    lake.drop_dataset("dropped", "dropped")
    assert lake.list_datasets(match="dropped").datasets == []
    for statement in ("SELECT * FROM dropped", "SELECT * FROM dropped AT (VERSION => 0)"):
        with pytest.raises(NotFound, match="dropped"):
            rows(lake, statement)
    assert rows(lake, "SELECT count(*) FROM system.datasets WHERE name = 'dropped'") == [[0]]
    with pytest.raises(NotFound, match="dataset 'dropped' has no version 99"):
        lake.restore_dataset("dropped", 99)
    lake.restore_dataset("dropped")
    assert rows(lake, "SELECT a FROM dropped") == [[1]]
    lake.drop_dataset("dropped", "dropped")
    fresh = lake.ingest(inline("dropped", "b\nx\n"))
    assert fresh.rows_added == 1
    assert rows(lake, "SELECT * FROM dropped") == [["x"]]


def test_upsert_replaces_by_key_and_adds_the_rest(lake: Lakehouse) -> None:
    lake.ingest(inline("keyed", PEOPLE), key="id")
    report = lake.ingest(
        inline("keyed", "id,name,city\n2,Grace H.,Arlington\n4,Barbara,Boston\n4,Barbara L.,Boston\n"), mode="upsert"
    )
    assert (report.rows_added, report.rows_updated) == (1, 1)
    # Of rows with one key in the same source the last counts.
    assert any("repeat a key" in note for note in report.notes)
    assert rows(lake, "SELECT id, name FROM keyed ORDER BY id") == [
        [1, "Ada"], [2, "Grace H."], [3, "Edsger"], [4, "Barbara L."],
    ]  # fmt: skip
    assert rows(lake, "SELECT count(*) FROM keyed AT (VERSION => 0)") == [[3]]


def test_bad_rows_are_kept_aside_with_their_lines(lake: Lakehouse) -> None:
    good = "".join(f"{i},name {i}\n" for i in range(1000))
    report = lake.ingest(inline("ragged", "id,name\n" + good + "7,too,many,fields\n8,fine\n"))
    assert (report.rows_added, report.rows_rejected) == (1001, 1)
    assert report.rejects_uri is not None
    rejected = lake.read_result(report.rejects_uri)
    names = [column.name for column in rejected.columns]
    assert rejected.row_count == 1
    assert dict(zip(names, rejected.rows[0], strict=True))["line"] == 1002
    assert rows(lake, "SELECT dataset, line FROM system.rejects WHERE dataset = 'ragged'") == [["ragged", 1002]]


def test_compaction_keeps_all_rows_in_fewer_files(lake: Lakehouse) -> None:
    for number in range(5):
        lake.ingest(inline("small_files", f"a,b\n{number},x{number}\n"))
    lake.compact("small_files")
    assert rows(lake, "SELECT count(*), sum(a), count(DISTINCT b) FROM small_files") == [[5, 10, 5]]
    assert rows(lake, "SELECT files FROM system.datasets WHERE name = 'small_files'") == [[1]]
    assert rows(lake, "SELECT count(*) FROM small_files AT (VERSION => 4)") == [[5]]
    # Nothing was loaded by it: the same bytes are still known.
    assert lake.ingest(inline("small_files", "a,b\n0,x0\n")).unchanged


def test_names_in_any_script(lake: Lakehouse) -> None:
    report = lake.ingest(put(lake, "Москва 2026.csv", "имя,число\nАнна,1\n"))
    assert report.dataset == "москва_2026"
    assert rows(lake, "SELECT имя FROM москва_2026") == [["Анна"]]
    assert [each.name for each in lake.list_datasets(match="моск").datasets] == ["москва_2026"]


def test_two_loads_at_once_lose_nothing(lake: Lakehouse) -> None:
    failures: list[BaseException] = []

    def load(number: int) -> None:
        try:
            for part in range(3):
                lake.ingest(inline("at_once", f"a\n{number * 10 + part}\n"))
        except LakehouseError as error:
            failures.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert rows(lake, "SELECT count(*), count(DISTINCT a) FROM at_once") == [[6, 6]]


def test_a_read_only_lake_refuses_changes_and_answers_questions(lake: Lakehouse, place: Place) -> None:
    lake.ingest(inline("fixed", "a\n1\n"))
    with place.open(read_only=True) as closed:
        assert rows(closed, "SELECT a FROM fixed") == [[1]]
        for change in (
            lambda: closed.ingest(inline("fixed", "a\n2\n")),
            lambda: closed.drop_dataset("fixed", "fixed"),
            lambda: closed.restore_dataset("fixed", 0),
            lambda: closed.compact("fixed"),
        ):
            with pytest.raises(NotAllowed):
                change()


def test_errors_are_in_the_journal(lake: Lakehouse) -> None:
    with pytest.raises(NotFound):
        lake.sql("SELECT * FROM nowhere")
    found = rows(lake, "SELECT code, operation, message FROM system.errors WHERE message LIKE '%nowhere%'")
    assert found == [["not_found", "sql", "there is no dataset 'nowhere'"]]


def test_whole_numbers_become_decimals_only_where_that_changes_none(lake: Lakehouse) -> None:
    lake.ingest(inline("big", "a\n9007199254740993\n"))
    with pytest.raises(SchemaMismatch):
        lake.ingest(inline("big", "a\n0.5\n"))
    lake.ingest(inline("small", "a\n7\n"), key=["a"])
    lake.ingest(inline("small", "a\n7\n8\n"), mode="upsert")
    assert rows(lake, "SELECT typeof(a), a FROM small ORDER BY a") == [["BIGINT", 7], ["BIGINT", 8]]
    lake.ingest(inline("small", "a\n0.5\n"))
    assert rows(lake, "SELECT typeof(a), a FROM small ORDER BY a") == [
        ["DOUBLE", 0.5],
        ["DOUBLE", 7.0],
        ["DOUBLE", 8.0],
    ]
    assert rows(lake, "SELECT typeof(a) FROM small AT (VERSION => 0)") == [["BIGINT"]]


def test_what_a_restoration_undid_can_be_loaded_again_and_what_it_kept_cannot(lake: Lakehouse) -> None:
    first, second = inline("undone", "a\n1\n"), inline("undone", "a\n2\n")
    lake.ingest(first)
    lake.ingest(second)
    lake.restore_dataset("undone", 0)
    assert lake.ingest(first).unchanged
    assert [entry.rows for entry in lake.describe_dataset("undone").lineage] == [1]
    assert lake.ingest(second).rows_added == 1
    assert rows(lake, "SELECT a FROM undone ORDER BY a") == [[1], [2]]


def test_what_one_opened_lake_commits_another_sees(lake: Lakehouse, place: Place) -> None:
    with place.open() as other:
        lake.ingest(inline("seen_by_both", "a\n1\n"))
        assert rows(other, "SELECT a FROM seen_by_both") == [[1]]
        other.ingest(inline("seen_by_both", "a\n2\n"))
        assert rows(lake, "SELECT a FROM seen_by_both ORDER BY a") == [[1], [2]]
        lake.drop_dataset("seen_by_both", "seen_by_both")
        with pytest.raises(NotFound, match="dropped"):
            rows(other, "SELECT a FROM seen_by_both")


def test_an_upsert_by_another_key_is_refused_and_surprises_are_told(lake: Lakehouse) -> None:
    lake.ingest(put(lake, "guests.csv", PEOPLE), key=["id"])
    with pytest.raises(InvalidInput, match="has the key id"):
        lake.ingest(inline("guests", "id,name,city\n1,A,London\n"), mode="upsert", key=["city"])
    with pytest.raises(SchemaMismatch, match="shares no column"):
        lake.ingest(inline("guests", "tail,seats\nN1,4\n"))
    edited = lake.ingest(put(lake, "guests.csv", PEOPLE + "4,Barbara,Boston\n"))
    assert any("was loaded before" in note for note in edited.notes)
    grown = lake.ingest(put(lake, "more_guests.csv", "id,email\n5,x@example.org\n"), "guests")
    assert any("new columns" in note and "email" in note for note in grown.notes)


def test_all_rows_come_as_arrow(lake: Lakehouse) -> None:
    result = lake.sql("SELECT i, i::VARCHAR AS s FROM range(5000) t(i)")
    assert result.truncated
    assert result.result_uri is not None
    table = lake.arrow(result.result_uri)
    assert (table.num_rows, table.column_names, table["i"][4999].as_py()) == (5000, ["i", "s"], 4999)


def test_an_upsert_on_a_key_that_was_not_unique_says_what_it_did(lake: Lakehouse) -> None:
    lake.ingest(inline("doubled", "k,v,w\n1,a,x\n1,b,y\n"))
    report = lake.ingest(inline("doubled", "k,v\n1,c\n"), mode="upsert", key=["k"])
    assert any("not unique" in note for note in report.notes)
    assert any("does not have" in note and "w" in note for note in report.notes)
    assert rows(lake, "SELECT * FROM doubled") == [[1, "c", None]]


def test_files_with_the_same_bytes_are_loaded_once_and_told(lake: Lakehouse, place: Place) -> None:
    folder = place.files / "same"
    folder.mkdir()
    for name in ("one.csv", "two.csv", "three.csv"):
        (folder / name).write_text("a\n1\n")
    (folder / "other.csv").write_text("a\n2\n")
    report = lake.ingest(folder)
    assert report.rows_added == 2
    assert report.notes == ["three.csv holds the same bytes as one.csv (and 1 more of that kind): loaded once"]
