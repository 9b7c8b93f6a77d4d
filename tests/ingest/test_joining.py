"""Rows that join an existing dataset."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from ingest.harness import Loading, write_parquet
from mcp_lakehouse.errors import InvalidInput, SchemaMismatch


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("DOUBLE", "5", 5.0),
        ("VARCHAR", "12345", "12345"),
        ("VARCHAR", "2020-01-01", "2020-01-01"),
        ("INTEGER", "5", 5),
        ("DECIMAL(10,2)", "5", Decimal("5.00")),
        ("TIMESTAMP WITH TIME ZONE", "2020-01-01", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        ("DATE", "", None),
        ("BIGINT", "5", 5),
    ],
)
def test_a_text_that_is_only_narrower_takes_the_datasets_type(
    loading: Loading, kind: str, text: str, expected: object
) -> None:
    loaded = loading.load_text("t.csv", f"X,n\n{text},1\n", columns=[("n", "BIGINT"), ("x", kind)])
    assert loaded.types == {"n": "BIGINT", "x": kind}
    assert loaded.rows == [(1, expected)]


@pytest.mark.parametrize(
    ("kind", "text", "wide"),
    [
        ("INTEGER", "3000000000", "BIGINT"),
        ("DATE", "2020-01-01 10:00", "TIMESTAMP WITH TIME ZONE"),
        ("SMALLINT", "5", "BIGINT"),
    ],
)
def test_a_dataset_widens_where_that_loses_nothing(loading: Loading, kind: str, text: str, wide: str) -> None:
    assert loading.load_text("t.csv", f"x,n\n{text},1\n", columns=[("x", kind)]).types["x"] == wide


@pytest.mark.parametrize(
    ("kind", "text"), [("BIGINT", "2.5"), ("BIGINT", "many"), ("DATE", "soon"), ("BOOLEAN", "5"), ("DOUBLE", "x")]
)
def test_what_does_not_fit_is_refused_with_both_schemas(loading: Loading, kind: str, text: str) -> None:
    with pytest.raises(SchemaMismatch, match="! x "):
        loading.load_text("t.csv", f"x,n\n{text},1\n", columns=[("x", kind), ("n", "BIGINT")])


def test_new_columns_are_added_and_missing_ones_are_null(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "b,new\n2,z\n", columns=[("a", "DOUBLE"), ("b", "BIGINT")])
    assert list(loaded.types.items()) == [("a", "DOUBLE"), ("b", "BIGINT"), ("new", "VARCHAR")]
    assert loaded.rows == [(None, 2, "z")]


def test_a_header_alone_joins_anything(loading: Loading) -> None:
    loaded = loading.load_text("t.csv", "a,b\n", columns=[("a", "DOUBLE"), ("b", "DATE")])
    assert loaded.types == {"a": "DOUBLE", "b": "DATE"}
    assert loaded.answer["rows"] == 0


def test_typed_files_do_not_join_other_types(loading: Loading) -> None:
    path = write_parquet(loading.text("t.parquet", ""), "SELECT 5::BIGINT AS x")
    with pytest.raises(SchemaMismatch):
        loading.load(path, columns=[("x", "VARCHAR")])
    assert loading.load(path, columns=[("x", "INTEGER")]).types == {"x": "BIGINT"}


def test_a_key_must_be_a_column(loading: Loading) -> None:
    assert loading.load_text("t.csv", "Id,n\n1,2\n", key=["id"]).answer["rows"] == 1
    with pytest.raises(InvalidInput, match="'nope'"):
        loading.load_text("t.csv", "Id,n\n1,2\n", key=["nope"])
