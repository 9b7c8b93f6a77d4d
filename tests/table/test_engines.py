"""Other engines read and write the same tables: delta-rs (its log and its own scan) and DuckDB (the files)."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from contracts.places import ID, Place, ids
from mcp_lakehouse.table import Table, TableColumn
from mcp_lakehouse.table.committing import CHECKPOINT_COMMITS

ODD_NAMES = ["a b", "a,b", 'a"b', "a'b", "größe", "数", "a.b", "a`b", "a;b", "{x}", "(y)", "z=\n\t", "a%20b", "a/b"]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place("local", str(tmp_path / "a lake"), {}, tmp_path)


def folder(place: Place) -> str:
    return f"{place.address}/tables/numbers"


def as_delta_rs(place: Place, version: int | None = None) -> list[dict[str, Any]]:
    """All rows, by a scan of delta-rs that knows nothing of us."""
    table = DeltaTable(folder(place), version=version)
    return sorted(
        pa.table(QueryBuilder().register("t", table).execute("SELECT * FROM t")).to_pylist(),
        key=lambda row: str(next(iter(row.values()))),
    )


def as_duckdb(table: Table) -> list[tuple[Any, ...]]:
    """All rows, by the files of the snapshot."""
    paths = [str(table._bucket.local_path(file.key)) for file in table.snapshot().files]
    with duckdb.connect() as connection:
        return connection.sql(f"SELECT * FROM read_parquet({paths}, union_by_name=true) ORDER BY 1").fetchall()


def test_delta_rs_sees_every_version_as_we_do(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1, 2])], description="numbers", properties={"lakehouse.key": "id"})
    table.create_or_append(ID, [place.stage(id=[3])], transactions={"load": 0})
    table.rewrite([table.snapshot().files[0].key], [place.stage(id=[1, 20])], at_version=1)
    table.replace([TableColumn("name", "VARCHAR")], [place.stage(name=["x"])])
    table.restore(2, {"operation": "restore"})
    theirs = DeltaTable(folder(place))
    assert theirs.version() == 4
    assert theirs.metadata().description == "numbers"
    assert theirs.metadata().configuration == {"lakehouse.key": "id"}
    assert theirs.transaction_version("load") == 0
    assert [row["id"] for row in as_delta_rs(place)] == [1, 20, 3]
    for version in range(5):
        loaded = DeltaTable(folder(place), version=version)
        ours = table.snapshot(version)
        assert {Path(uri).name for uri in loaded.file_uris()} == {Path(file.key).name for file in ours.files}
        assert [field.name for field in loaded.schema().fields] == [column.name for column in ours.columns]
        assert sum(pa.table(loaded.get_add_actions())["num_records"].to_pylist()) == ours.rows
    assert [(entry["version"], entry["operation"]) for entry in theirs.history()] == [
        (commit.version, commit.operation) for commit in table.history()
    ]


def test_the_protocol_is_the_widest_whatever_the_types(place: Place) -> None:
    columns = {
        "BOOLEAN": pa.array([True]),
        "TINYINT": pa.array([1], pa.int8()),
        "DECIMAL(38,10)": pa.array([Decimal("1.5")], pa.decimal128(38, 10)),
        "BLOB": pa.array([b"x"]),
        "DATE": pa.array([dt.date(2026, 1, 1)]),
        "TIMESTAMP WITH TIME ZONE": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
        "STRUCT(a BIGINT, b VARCHAR[])": pa.array([{"a": 1, "b": ["x"]}]),
        "MAP(VARCHAR, DOUBLE)": pa.array([[("k", 0.5)]], pa.map_(pa.string(), pa.float64())),
    }
    declared = [TableColumn(type_.split("(")[0].lower(), type_) for type_ in columns]
    staged = place.stage(**dict(zip([column.name for column in declared], columns.values(), strict=True)))
    table = place.table()
    table.create_or_append(declared, [staged])
    table.set_properties("changed", {"lakehouse.kind": "table"})
    table.replace(declared, [])
    table.restore(0, {})
    theirs = DeltaTable(folder(place))
    protocol = theirs.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert (protocol.reader_features, protocol.writer_features) == (None, None)
    (row,) = as_delta_rs(place)
    assert row["struct"] == {"a": 1, "b": ["x"]}
    assert row["timestamp with time zone"] == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert tuple(column.type for column in place.table().snapshot().columns) == tuple(columns)


def test_delta_rs_appends_to_our_table_and_we_to_its(place: Place) -> None:
    table = place.table()
    table.create_or_append(ID, [place.stage(id=[1])])
    write_deltalake(folder(place), pa.table({"id": [2]}), mode="append")
    assert ids(table) == [1, 2]
    table.create_or_append(ID, [place.stage(id=[3])])
    write_deltalake(folder(place), pa.table({"id": [4], "more": ["x"]}), mode="append", schema_mode="merge")
    assert [column.name for column in table.snapshot().columns] == ["id", "more"]
    assert ids(table) == ids(place.table()) == [1, 2, 3, 4]
    DeltaTable(folder(place)).optimize.compact()
    assert (table.snapshot().rows, len(table.snapshot().files)) == (4, 1)
    write_deltalake(folder(place), pa.table({"id": [5]}), mode="overwrite", schema_mode="overwrite")
    assert ids(table) == [5]
    assert [commit.version for commit in table.history()] == [5, 4, 3, 2, 1, 0]
    assert table.history(1)[0].info == {}


def test_odd_column_names_are_read_by_every_engine(place: Place) -> None:
    columns = [TableColumn(name, "BIGINT") for name in ODD_NAMES]
    place.table().create_or_append(columns, [place.stage(**{name: [n] for n, name in enumerate(ODD_NAMES)})])
    assert as_delta_rs(place) == [{name: n for n, name in enumerate(ODD_NAMES)}]
    assert as_duckdb(place.table()) == [tuple(range(len(ODD_NAMES)))]
    assert place.table().snapshot().files[0].statistics["a b"] == {"min": 0, "max": 0, "nulls": 0}


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (("INTEGER", pa.array([1], pa.int32())), ("BIGINT", pa.array([2]))),
        (("INTEGER", pa.array([1], pa.int32())), ("DOUBLE", pa.array([2.5]))),
        (("FLOAT", pa.array([1.5], pa.float32())), ("DOUBLE", pa.array([2.5]))),
        (
            ("DECIMAL(5,2)", pa.array([Decimal("1.25")], pa.decimal128(5, 2))),
            ("DECIMAL(10,4)", pa.array([Decimal("2.125")], pa.decimal128(10, 4))),
        ),
        (("BIGINT", pa.array([1])), ("DECIMAL(20,1)", pa.array([Decimal("2.5")], pa.decimal128(20, 1)))),
        (
            ("DATE", pa.array([dt.date(2026, 1, 1)])),
            (
                "TIMESTAMP WITH TIME ZONE",
                pa.array([dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)], pa.timestamp("us", "UTC")),
            ),
        ),
        (("INTEGER[]", pa.array([[1]], pa.list_(pa.int32()))), ("BIGINT[]", pa.array([[2]]))),
        (
            ("STRUCT(a INTEGER)", pa.array([{"a": 1}], pa.struct([("a", pa.int32())]))),
            ("STRUCT(a BIGINT, b VARCHAR)", pa.array([{"a": 2, "b": "x"}])),
        ),
    ],
    ids=lambda pair: pair[0],
)
def test_a_widened_column_is_read_whole_by_every_engine(
    place: Place, narrow: tuple[str, pa.Array], wide: tuple[str, pa.Array]
) -> None:
    table = place.table()
    table.create_or_append([TableColumn("v", narrow[0])], [place.stage(v=narrow[1])])
    table.create_or_append([TableColumn("v", wide[0])], [place.stage(v=wide[1])])
    assert [column.type for column in table.snapshot().columns] == [wide[0]]
    theirs = pa.table(QueryBuilder().register("t", DeltaTable(folder(place))).execute("SELECT * FROM t"))["v"]
    first, second = sorted(theirs.to_pylist(), key=str)
    both = narrow[1].to_pylist()[0], wide[1].to_pylist()[0]
    if isinstance(both[0], dt.date):
        assert first.date() == both[0]
    elif isinstance(both[0], dict):
        assert first == {"a": 1, "b": None}
    else:
        assert first == both[0]
    assert second == both[1]
    assert len(as_duckdb(table)) == 2
    # The checkpoint that delta-rs writes keeps the wider schema too.
    DeltaTable(folder(place)).create_checkpoint()
    assert place.table().snapshot() == table.snapshot()


def test_a_folder_whose_name_looks_encoded_works_without_checkpoints(tmp_path: Path) -> None:
    # delta-rs decodes such a name twice and finds nothing; the table must not suffer from it.
    place = Place("local", str(tmp_path / "50%20off #1"), {}, tmp_path)
    table = place.table()
    for _ in range(CHECKPOINT_COMMITS + 2):
        table.create_or_append(ID, [])
    table.create_or_append(ID, [place.stage(id=[1])])
    assert ids(place.table()) == [1]


def test_the_log_is_what_the_format_says(place: Place) -> None:
    place.table().create_or_append(ID, [place.stage(id=[1])], transactions={"load": 0}, info={"who": "tester"})
    lines = (Path(folder(place)) / "_delta_log" / f"{0:020d}.json").read_bytes().splitlines()
    commit, protocol, metadata, transaction, add = (json.loads(line) for line in lines)
    assert commit["commitInfo"]["lakehouse"] == {"who": "tester"}
    assert protocol == {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    assert metadata["metaData"]["partitionColumns"] == []
    assert transaction["txn"]["appId"] == "load"
    assert json.loads(add["add"]["stats"]) == {
        "numRecords": 1,
        "minValues": {"id": 1},
        "maxValues": {"id": 1},
        "nullCount": {"id": 0},
    }
