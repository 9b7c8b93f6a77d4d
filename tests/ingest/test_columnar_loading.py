"""Parquet, Arrow and Excel."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from ingest.harness import Loading, workbook, write_parquet
from mcp_lakehouse.errors import InvalidInput, NotFound, SchemaMismatch, UnreadableSource

UTC = dt.UTC
EVERYTHING = """
    SELECT 1::TINYINT AS t, 2::HUGEINT AS h, 3::UBIGINT AS u, TIMESTAMP '2020-01-01 10:00' AS naive,
    TIMESTAMP_NS '2020-01-01 10:00:00.000001' AS ns, TIMESTAMPTZ '2020-01-01 10:00+02' AS zoned, TIME '10:00' AS tm,
    '550e8400-e29b-41d4-a716-446655440000'::UUID AS id, 'a'::ENUM('a', 'b') AS e, INTERVAL 1 DAY AS i, 1.50::DECIMAL(5,2) AS d,
    {'x': 1, 'y y': [TIMESTAMP '2020-01-01']} AS s, MAP {'k': 1::UINTEGER} AS m, '\\xAA'::BLOB AS b, NULL AS n
"""


def test_parquet_types_are_stored_as_those_the_table_format_has(loading: Loading) -> None:
    path = write_parquet(loading.text("t.parquet", ""), EVERYTHING)
    loaded = loading.load(path)
    zoned = "TIMESTAMP WITH TIME ZONE"
    assert loaded.types == {
        "t": "TINYINT",
        "h": "DOUBLE",
        "u": "DECIMAL(20,0)",
        "naive": zoned,
        "ns": zoned,
        "zoned": zoned,
        "tm": "VARCHAR",
        "id": "VARCHAR",
        "e": "VARCHAR",
        "i": "VARCHAR",
        "d": "DECIMAL(5,2)",
        "s": f'STRUCT(x INTEGER, "y y" {zoned}[])',
        "m": "MAP(VARCHAR, BIGINT)",
        "b": "BLOB",
        "n": "VARCHAR",
    }
    row = dict(zip(loaded.types, loaded.rows[0], strict=True))
    assert row["naive"] == dt.datetime(2020, 1, 1, 10, tzinfo=UTC)
    assert row["zoned"] == dt.datetime(2020, 1, 1, 8, tzinfo=UTC)
    assert row["s"] == {"x": 1, "y y": [dt.datetime(2020, 1, 1, tzinfo=UTC)]}
    assert (row["d"], row["tm"], row["m"], row["b"]) == (Decimal("1.50"), "10:00:00", {"k": 1}, b"\xaa")


def test_statistics_are_exact_and_only_of_comparable_types(loading: Loading) -> None:
    path = write_parquet(
        loading.text("t.parquet", ""),
        "SELECT i::BIGINT AS i, (i / 10)::FLOAT AS f, CASE WHEN i = 3 THEN 'nan'::DOUBLE ELSE i END AS nan, "
        "CASE WHEN i = 3 THEN 'inf'::DOUBLE ELSE i END AS inf, DATE '2020-01-01' + i::INTEGER AS d, i::VARCHAR AS s, "
        "CASE WHEN i < 2 THEN i END AS n, TIMESTAMPTZ '2020-01-01' AS t, [i] AS l FROM range(1, 5) r(i)",
    )
    (file,) = loading.load(path).answer["files"]
    single = 0.10000000149011612
    assert file["rows"] == 4
    assert file["bytes"] == Path(file["path"]).stat().st_size
    assert file["statistics"] == {
        "i": {"nulls": 0, "min": 1, "max": 4},
        "f": {"nulls": 0, "min": single, "max": 0.4000000059604645},
        "nan": {"nulls": 0},
        "inf": {"nulls": 0},
        "d": {"nulls": 0, "min": "2020-01-02", "max": "2020-01-05"},
        "s": {"nulls": 0},
        "n": {"nulls": 3, "min": 1, "max": 1},
        "t": {"nulls": 0},
        "l": {"nulls": 0},
    }


def test_files_are_split_at_about_a_size_and_keep_their_order(loading: Loading) -> None:
    path = write_parquet(loading.text("t.parquet", ""), "SELECT i, md5(i::VARCHAR) AS s FROM range(100000) r(i)")
    loaded = loading.load(path, file_bytes=400_000, row_group_rows=10_000)
    files = loaded.answer["files"]
    assert len(files) > 2
    assert [file["statistics"]["i"]["min"] for file in files] == sorted(
        file["statistics"]["i"]["min"] for file in files
    )
    assert loaded.column("i") == list(range(100_000))


@pytest.mark.parametrize("cut", [slice(0, -8), slice(0, 200), slice(50, None)])
def test_damaged_parquet_is_an_error(loading: Loading, cut: slice) -> None:
    whole = write_parquet(loading.text("w.parquet", ""), "SELECT i, md5(i::VARCHAR) FROM range(1000) r(i)").read_bytes()
    damaged = (b"PAR1" if cut.start else b"") + whole[cut]
    with pytest.raises(UnreadableSource, match=r"t\.parquet"):
        loading.load_text("t.parquet", damaged)


def test_parquet_damaged_in_its_middle_leaves_nothing(loading: Loading) -> None:
    path = write_parquet(loading.text("w.parquet", ""), "SELECT md5(i::VARCHAR) AS s FROM range(100000) r(i)")
    whole = bytearray(path.read_bytes())
    whole[1_000_000:1_001_000] = b"\xff" * 1000
    with pytest.raises(UnreadableSource) as caught:
        loading.load_text("t.parquet", bytes(whole))
    assert str(loading.folder) not in str(caught.value)


def arrow_table() -> pa.Table:
    return pa.table(
        {
            "a": pa.array([1, None], pa.int32()),
            "d": pa.array(["x", "y"]).dictionary_encode(),
            "ns": pa.array([0, 1000], pa.timestamp("ns")),
            "fixed": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
        }
    )


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_files_and_streams_are_read(loading: Loading, kind: str) -> None:
    table, path = arrow_table(), loading.text("t.arrow", "")
    opened = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as sink, opened(sink, table.schema) as writer:
        writer.write_table(table)
    loaded = loading.load(path)
    assert list(loaded.types.values()) == ["INTEGER", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "FLOAT[]"]
    assert loaded.rows[1] == (None, "y", dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), [3.0, 4.0])


def test_damaged_arrow_is_an_error(loading: Loading) -> None:
    with pytest.raises(UnreadableSource):
        loading.load_text("t.arrow", b"ARROW1\0\0" + b"\x01" * 500)
    with pytest.raises(UnreadableSource):
        loading.load_text("t.arrows", b"\xff\xff\xff\xff" + b"\x01" * 500)


def test_typed_files_of_different_shape_do_not_mix(loading: Loading) -> None:
    folder = write_parquet(loading.text("a.parquet", ""), "SELECT 1::BIGINT AS x").parent
    write_parquet(folder / "b.parquet", "SELECT 1.5::DOUBLE AS x")
    with pytest.raises(SchemaMismatch, match=r"'x' is BIGINT in the first files and DOUBLE in b\.parquet"):
        loading.load(folder)
    (folder / "c.csv").write_text("x,y\n2,z\n")
    (folder / "b.parquet").unlink()
    assert loading.load(folder).rows == [(1, None), (2, "z")]


BOOK = {
    "Cover": [],
    "Data": [
        ["A title"],
        [],
        ["id", "name", "day", "share", "code", "ok", "gone"],
        [1, "a", ("date", 43831), 0.5, 7, True, 5],
        [2, None, ("date", 43832), 2, "7b", False, "NA"],
        [],
        [3, "ü"],
    ],
    "More": [["x"], [1]],
}


def test_the_first_filled_sheet_is_read_and_the_others_are_told(loading: Loading) -> None:
    loaded = loading.load_text("b.xlsx", workbook(BOOK))
    assert loaded.types == {
        "id": "BIGINT",
        "name": "VARCHAR",
        "day": "DATE",
        "share": "DOUBLE",
        "code": "VARCHAR",
        "ok": "BOOLEAN",
        "gone": "BIGINT",
    }
    assert loaded.rows == [
        (1, "a", dt.date(2020, 1, 1), 0.5, "7", True, 5),
        (2, None, dt.date(2020, 1, 2), 2.0, "7b", False, None),
        (3, "ü", None, None, None, None, None),
    ]
    assert "'Data' was read" in loaded.notes
    assert "'More'" in loaded.notes


def test_a_sheet_can_be_chosen(loading: Loading) -> None:
    path = loading.text("b.xlsx", workbook(BOOK))
    assert loading.load([Path(f"{path}#more")]).rows == [(1,)]
    with pytest.raises(NotFound, match="no sheet 'Nope'"):
        loading.load([Path(f"{path}#Nope")])
    with pytest.raises(UnreadableSource, match="empty"):
        loading.load([Path(f"{path}#Cover")])


def test_damaged_and_empty_workbooks_are_errors(loading: Loading) -> None:
    with pytest.raises(UnreadableSource):
        loading.load_text("b.xlsx", workbook(BOOK)[:-200])
    with pytest.raises(UnreadableSource, match="every sheet"):
        loading.load_text("b.xlsx", workbook({"A": []}))
    with pytest.raises(UnreadableSource):
        loading.load_text("b.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1000)


def test_a_workbook_with_too_many_columns_is_refused(loading: Loading) -> None:
    with pytest.raises(InvalidInput, match="5,000 columns"):
        loading.load_text("b.xlsx", workbook({"A": [[f"c{n}" for n in range(5_000)], [1]]}))
