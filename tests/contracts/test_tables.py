"""What every table promises, on a local folder and on an S3 server: versions, evolution, replacing, restoring."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from contracts.places import ID, Place, ids, log_of, read_rows
from mcp_lakehouse.errors import Conflict, InvalidInput, NotFound, SchemaMismatch, StorageFailed
from mcp_lakehouse.table import ABSENT, StagedFile, TableColumn
from mcp_lakehouse.table.values import Statistics

PREFIX = "tables/numbers"


def test_there_is_no_table_until_the_first_commit(place: Place) -> None:
    table = place.table()
    assert not table.exists()
    assert table.head() is None
    assert table.transaction_version("any") is None
    with pytest.raises(NotFound, match="there is no table"):
        table.snapshot()
    assert table.create_or_append(ID, [place.stage(id=[1, 2])]) == 0
    assert table.exists()
    assert table.head() == 0
    assert place.table().exists()
    assert ids(place.table()) == [1, 2]


def test_a_snapshot_says_what_a_version_holds(place: Place) -> None:
    columns = [TableColumn("id", "BIGINT", nullable=False, description="the key"), TableColumn("name", "VARCHAR")]
    staged = place.stage(id=[3, 1], name=["c", "a"])
    before = datetime.now(UTC) - timedelta(seconds=1)
    place.table().create_or_append(
        columns, [staged], description="two rows", properties={"lakehouse.key": "id"}, info={"source": "x.csv"}
    )
    snapshot = place.table().snapshot()
    assert snapshot.version == 0
    assert list(snapshot.columns) == columns
    assert snapshot.rows == 2
    assert snapshot.description == "two rows"
    assert snapshot.properties == {"lakehouse.key": "id"}
    assert before <= snapshot.updated_at <= datetime.now(UTC) + timedelta(seconds=1)
    (file,) = snapshot.files
    assert (file.rows, file.bytes) == (2, staged.bytes)
    assert file.key.startswith(f"{PREFIX}/part-")
    assert file.statistics == {"id": {"min": 1, "max": 3, "nulls": 0}}


def test_a_reader_that_is_open_sees_the_next_version_of_another_writer(place: Place) -> None:
    reader, writer = place.table(), place.table()
    for number in range(3):
        writer.create_or_append(ID, [place.stage(id=[number])])
        assert reader.head() == number
        assert ids(reader) == list(range(number + 1))


def test_an_unchanged_table_gives_the_same_snapshot(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    assert table.snapshot() is table.snapshot()


def test_files_come_in_the_order_they_were_written(place: Place) -> None:
    table = place.table()
    for number in range(4):
        table.create_or_append(ID, [place.stage("a", id=[2 * number]), place.stage("b", id=[2 * number + 1])])
    for reader in (table, place.table()):
        rows = read_rows(reader, [file.key for file in reader.snapshot().files])
        assert rows["id"].to_pylist() == list(range(8))


def test_every_version_stays_readable(place: Place) -> None:
    table = place.table()
    for number in range(4):
        table.create_or_append(ID, [place.stage(id=[number])])
    table.replace(ID, [place.stage(id=[99])])
    for reader in (table, place.table()):
        assert [ids(reader, version) for version in range(5)] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [99]]
        for version in (5, -1):
            with pytest.raises(NotFound) as error:
                reader.snapshot(version)
            assert error.value.hint == "it has versions 0 to 4"


def test_a_moment_gives_the_version_that_was_newest_then(place: Place) -> None:
    table = place.table()
    for number in range(6):
        table.create_or_append(ID, [place.stage(id=[number])])
    moments = [commit.at for commit in reversed(table.history())]
    assert moments == sorted(set(moments))
    reader = place.table()
    assert [reader.snapshot(at=moment).version for moment in moments] == list(range(6))
    assert reader.snapshot(at=moments[5] + timedelta(days=1)).version == 5
    assert reader.snapshot(at=moments[5].replace(tzinfo=None)).version == 5
    with pytest.raises(NotFound, match="did not exist"):
        reader.snapshot(at=moments[0] - timedelta(seconds=1))


def test_an_append_brings_new_columns_and_wider_types_in_one_commit(place: Place) -> None:
    table = place.table()
    narrow = [TableColumn("id", "INTEGER", nullable=False), TableColumn("s", "STRUCT(a SMALLINT)")]
    struct = pa.struct([("a", pa.int16())])
    table.create_or_append(narrow, [place.stage(id=pa.array([1], pa.int32()), s=pa.array([{"a": 1}], struct))])
    wide = [
        TableColumn("id", "BIGINT"),
        TableColumn("s", "STRUCT(a SMALLINT, b VARCHAR)"),
        TableColumn("new", "DOUBLE"),
    ]
    assert table.create_or_append(wide, [place.stage(id=[2], s=[{"a": 2, "b": "x"}], new=[0.5])]) == 1
    assert [sorted(action)[0] for action in log_of(place.bucket(), PREFIX, 1)] == ["commitInfo", "metaData", "add"]
    for reader in (table, place.table()):
        assert [(c.name, c.type, c.nullable) for c in reader.snapshot().columns] == [
            ("id", "BIGINT", True),
            ("s", "STRUCT(a SMALLINT, b VARCHAR)", True),
            ("new", "DOUBLE", True),
        ]
        assert [c.type for c in reader.snapshot(0).columns] == ["INTEGER", "STRUCT(a SMALLINT)"]
    # Columns that are missing or narrower fit without any change of the schema.
    table.create_or_append([TableColumn("id", "SMALLINT")], [place.stage(id=pa.array([3], pa.int16()))])
    assert [sorted(action)[0] for action in log_of(place.bucket(), PREFIX, 2)] == ["commitInfo", "add"]
    assert ids(table) == [1, 2, 3]


def test_what_would_lose_values_is_refused_and_shows_both_schemas(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    with pytest.raises(SchemaMismatch) as error:
        table.create_or_append([TableColumn("id", "VARCHAR"), TableColumn("b", "DATE")], [place.stage(id=["x"])])
    assert "table: id BIGINT" in error.value.message
    assert "new data: id VARCHAR, b DATE" in error.value.message
    with pytest.raises(SchemaMismatch, match="spelled 'id'"):
        table.create_or_append([TableColumn("ID", "BIGINT")], [place.stage(ID=[1])])
    assert table.head() == 0
    assert len(place.bucket().folders("tables")) == 1
    assert len([info for info in place.bucket().list(PREFIX) if info.key.endswith(".parquet")]) == 1


def test_a_replacement_changes_rows_and_columns_in_one_commit(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])], description="kept", properties={"a": "1", "b": "2"})
    other = [TableColumn("name", "VARCHAR")]
    assert table.replace(other, [place.stage(name=["x"])], properties={"b": None}) == 1
    snapshot = place.table().snapshot()
    assert [column.name for column in snapshot.columns] == ["name"]
    assert (snapshot.rows, len(snapshot.files)) == (1, 1)
    assert (snapshot.description, snapshot.properties) == ("kept", {"a": "1"})
    assert ids(place.table(), 0) == [1]


def test_replacing_what_is_not_there_makes_it(place: Place) -> None:
    assert place.table().replace(ID, [place.stage(id=[1])]) == 0
    assert ids(place.table()) == [1]


def test_a_table_may_be_empty_and_an_append_may_bring_nothing(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [])
    assert table.create_or_append(ID, [], transactions={"empty": 0}) == 1
    snapshot = place.table().snapshot()
    assert (snapshot.version, snapshot.rows, snapshot.files) == (1, 0, ())


def test_properties_change_alone(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])], description="old", properties={"keep": "1"})
    assert table.set_properties(properties={"lakehouse.dropped_at": "2026-01-01"}, info={"operation": "drop"}) == 1
    assert place.table().snapshot().properties == {"keep": "1", "lakehouse.dropped_at": "2026-01-01"}
    assert place.table().snapshot().description == "old"
    table.set_properties("new", {"lakehouse.dropped_at": None})
    assert place.table().snapshot().properties == {"keep": "1"}
    assert place.table().snapshot().description == "new"
    assert ids(place.table()) == [1]
    with pytest.raises(InvalidInput, match="belongs to the table format"):
        table.set_properties(properties={"delta.enableDeletionVectors": "true"})


def test_a_restored_version_is_whole_again(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])], description="first", properties={"a": "1"})
    table.create_or_append(ID, [place.stage(id=[2])])
    table.replace([TableColumn("name", "VARCHAR")], [place.stage(name=["x"])], description="second")
    table.set_properties(properties={"lakehouse.dropped_at": "now"})
    assert table.restore(1, {"operation": "restore"}, properties={"restored": "yes"}) == 4
    for reader in (table, place.table()):
        snapshot = reader.snapshot()
        assert list(snapshot.columns) == list(ID)
        assert snapshot.description == "first"
        assert snapshot.properties == {"a": "1", "restored": "yes"}
        assert snapshot.files == reader.snapshot(1).files
        assert ids(reader) == [1, 2]
        assert reader.snapshot(2).rows == 1
    with pytest.raises(NotFound) as error:
        table.restore(9, {})
    assert error.value.hint == "it has versions 0 to 4"


def test_a_version_whose_files_are_gone_is_not_restored(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    table.replace(ID, [place.stage(id=[2])])
    place.bucket().delete([table.snapshot(0).files[0].key])
    with pytest.raises(NotFound, match="has lost the file"):
        table.restore(0, {})
    assert ids(place.table()) == [2]


def test_a_rewrite_puts_files_in_the_place_of_others(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage("a", id=[1, 2]), place.stage("b", id=[3])])
    first, second = table.snapshot().files
    version = table.rewrite(
        [first.key],
        [place.stage("c", id=[1, 20], more=["x", "y"])],
        at_version=0,
        columns=[*ID, TableColumn("more", "VARCHAR")],
        transactions={"upsert": 7},
        info={"operation": "upsert"},
    )
    assert version == 1
    assert ids(place.table()) == [1, 3, 20]
    snapshot = place.table().snapshot()
    assert second.key in {file.key for file in snapshot.files}
    assert [column.name for column in snapshot.columns] == ["id", "more"]
    assert place.table().transaction_version("upsert") == 7


def test_a_rewrite_fails_when_anything_was_committed_since(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    read = table.snapshot()
    place.table().create_or_append(ID, [place.stage("other", id=[2])])
    with pytest.raises(Conflict, match="is at version 1, not 0"):
        table.rewrite([read.files[0].key], [place.stage("new", id=[10])], at_version=0)
    assert ids(place.table()) == [1, 2]


def test_moving_rows_bears_appends_but_no_lost_file_and_no_new_column(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage("a", id=[1]), place.stage("b", id=[2])])
    read = table.snapshot()
    keys = [file.key for file in read.files]
    place.table().create_or_append(ID, [place.stage("c", id=[3])])
    merged = place.stage("merged", id=[1, 2])
    assert table.rewrite(keys, [merged], at_version=read.version, data_change=False) == 2
    assert ids(place.table()) == [1, 2, 3]
    with pytest.raises(Conflict, match="is not part of it any more"):
        table.rewrite(keys, [merged], at_version=2, data_change=False)
    newest = table.snapshot()
    place.table().create_or_append([TableColumn("more", "DATE")], [])
    with pytest.raises(Conflict, match="columns"):
        table.rewrite([newest.files[0].key], [merged], at_version=newest.version, data_change=False)
    assert ids(place.table()) == [1, 2, 3]


def test_every_change_can_be_tied_to_the_version_it_was_made_for(place: Place) -> None:
    table = place.table()
    with pytest.raises(Conflict):
        table.create_or_append(ID, [place.stage(id=[1])], at_version=0)
    assert table.create_or_append(ID, [place.stage(id=[1])], at_version=ABSENT) == 0
    changes: list[Callable[[int], int]] = [
        lambda at: table.create_or_append(ID, [place.stage(id=[2])], at_version=at),
        lambda at: table.replace(ID, [place.stage(id=[3])], at_version=at),
        lambda at: table.set_properties("x", at_version=at),
        lambda at: table.restore(0, {}, at_version=at),
    ]
    for change in changes:
        newest = table.snapshot().version
        for stale in (ABSENT, newest - 1, newest + 1):
            with pytest.raises(Conflict):
                change(stale)
        assert change(newest) == newest + 1


def test_history_tells_what_each_writer_said(place: Place) -> None:
    table = place.table()
    table.create_or_append(
        ID, [place.stage(id=[1, 2])], info={"operation": "ingest", "source": "größe.csv", "who": "a"}
    )
    table.replace(ID, [place.stage(id=[3])], info={"operation": "replace"})
    table.set_properties("text")
    for reader in (table, place.table()):
        newest, middle, first = reader.history()
        assert (first.version, middle.version, newest.version) == (0, 1, 2)
        assert first.info == {"operation": "ingest", "source": "größe.csv", "who": "a"}
        assert (first.rows_added, first.files_added, first.files_removed) == (2, 1, 0)
        assert (middle.rows_added, middle.files_added, middle.files_removed) == (1, 1, 1)
        assert (newest.operation, newest.info) == ("SET TBLPROPERTIES", {})
        assert reader.history(1) == [newest]


def test_a_file_that_is_not_whole_is_not_committed(place: Place) -> None:
    staged = place.stage(id=[1])
    with pytest.raises(StorageFailed, match="is not whole"):
        place.table().create_or_append(ID, [StagedFile(staged.path, staged.bytes + 1, 1, {})])
    staged.path.unlink()
    with pytest.raises(StorageFailed, match="cannot be read"):
        place.table().create_or_append(ID, [staged])
    assert not place.table().exists()


def test_staged_files_are_taken_by_a_commit_and_kept_by_a_failure(place: Place) -> None:
    table = place.table()
    staged = place.stage(id=[1])
    with pytest.raises(Conflict):
        table.create_or_append(ID, [staged], at_version=3)
    assert staged.path.exists()
    table.create_or_append(ID, [staged])
    assert not staged.path.exists()
    # The same name again is another file.
    table.create_or_append(ID, [place.stage(id=[2])])
    assert ids(place.table()) == [1, 2]


def test_statistics_that_are_no_numbers_do_not_reach_the_log(place: Place) -> None:
    columns = [TableColumn("f", "DOUBLE"), TableColumn("g", "DOUBLE"), TableColumn("s", "VARCHAR[]")]
    staged = place.stage(f=[0.5], g=[0.5], s=[["x"]])
    told: Statistics = {
        "f": {"min": float("nan"), "max": 1.0, "nulls": 0},
        "g": {"min": 0.5, "max": 0.5},
        "s": {"min": "x", "max": "x", "nulls": 0},
        "unknown": {"min": 1, "max": 1},
    }
    place.table().create_or_append(columns, [StagedFile(staged.path, staged.bytes, 1, told)])
    (file,) = place.table().snapshot().files
    assert file.statistics == {"f": {"nulls": 0}, "g": {"min": 0.5, "max": 0.5}}


def test_columns_no_reader_could_tell_apart_are_refused(place: Place) -> None:
    table = place.table()
    for names in (["id", "ID"], ["id", "id"], [""], []):
        with pytest.raises(InvalidInput):
            table.create_or_append([TableColumn(name, "BIGINT") for name in names], [])
    with pytest.raises(InvalidInput) as error:
        table.create_or_append([TableColumn("at", "TIMESTAMP")], [])
    assert error.value.hint == "cast it to TIMESTAMP WITH TIME ZONE"
    with pytest.raises(InvalidInput) as error:
        table.create_or_append([TableColumn("t", "STRUCT(a TIME[], b UINTEGER)")], [])
    assert error.value.hint == "cast it to STRUCT(a VARCHAR[], b BIGINT)"
    assert not place.table().exists()
