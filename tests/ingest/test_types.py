"""Stored types, safe widening, and schemas side by side."""

from __future__ import annotations

import pytest

from mcp_lakehouse.errors import SchemaMismatch
from mcp_lakehouse.ingest.types import UTC_TIMESTAMP, merge_columns, stored, stored_final, widen


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("BIGINT", "BIGINT"),
        ("HUGEINT", "DECIMAL(38,0)"),
        ("UBIGINT", "DECIMAL(20,0)"),
        ("UINTEGER", "BIGINT"),
        ("USMALLINT", "INTEGER"),
        ("UTINYINT", "SMALLINT"),
        ("TIMESTAMP", UTC_TIMESTAMP),
        ("TIMESTAMP_NS", UTC_TIMESTAMP),
        ("TIME", "VARCHAR"),
        ("UUID", "VARCHAR"),
        ("INTERVAL", "VARCHAR"),
        ("ENUM('a', 'b)')", "VARCHAR"),
        ("JSON", "VARCHAR"),
        ("UNION(a INTEGER, b VARCHAR)", "VARCHAR"),
        ("FLOAT[3]", "FLOAT[]"),
        ('STRUCT("a b" TIMESTAMP, c UUID[])', f'STRUCT("a b" {UTC_TIMESTAMP}, c VARCHAR[])'),
        ("MAP(VARCHAR, HUGEINT)", "MAP(VARCHAR, DECIMAL(38,0))"),
        ('"NULL"', "NULL"),
    ],
)
def test_every_type_is_stored_as_one_that_the_table_format_has(given: str, expected: str) -> None:
    assert stored(given) == expected


def test_only_nulls_are_stored_as_text() -> None:
    assert stored_final("NULL") == "VARCHAR"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SMALLINT", "BIGINT", "BIGINT"),
        ("BIGINT", "INTEGER", "BIGINT"),
        ("INTEGER", "DOUBLE", "DOUBLE"),
        ("BIGINT", "DOUBLE", None),
        ("FLOAT", "DOUBLE", "DOUBLE"),
        ("DECIMAL(10,2)", "DECIMAL(12,1)", "DECIMAL(13,2)"),
        ("DECIMAL(38,10)", "DECIMAL(38,0)", None),
        ("DECIMAL(10,2)", "INTEGER", "DECIMAL(12,2)"),
        ("DATE", "TIMESTAMP", UTC_TIMESTAMP),
        ("BIGINT", "VARCHAR", None),
        ("VARCHAR", "BIGINT", None),
        ("BOOLEAN", "BIGINT", None),
        ("NULL", "DATE", "DATE"),
        ("DATE", "NULL", "DATE"),
        ("STRUCT(a INTEGER)", "STRUCT(a BIGINT, b VARCHAR)", "STRUCT(a BIGINT, b VARCHAR)"),
        ("STRUCT(a INTEGER)", "STRUCT(a VARCHAR)", None),
        ("INTEGER[]", "BIGINT[]", "BIGINT[]"),
        ("INTEGER[]", "INTEGER", None),
    ],
)
def test_types_widen_only_where_no_value_is_lost(old: str, new: str, expected: str | None) -> None:
    assert widen(old, new) == expected


def test_new_columns_join_at_the_end_and_the_old_spelling_wins() -> None:
    merged = merge_columns([("Id", "INTEGER"), ("x", "DOUBLE")], [("extra", "DATE"), ("ID", "BIGINT")])
    assert merged == [("Id", "BIGINT"), ("x", "DOUBLE"), ("extra", "DATE")]


def test_a_mismatch_shows_both_schemas_with_the_differing_lines_marked() -> None:
    with pytest.raises(SchemaMismatch) as caught:
        merge_columns([("id", "BIGINT"), ("price", "DOUBLE")], [("id", "BIGINT"), ("price", "VARCHAR"), ("n", "DATE")])
    lines = caught.value.message.splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["id", "BIGINT", "BIGINT"],
        ["!", "price", "DOUBLE", "VARCHAR"],
        ["+", "n", "-", "DATE"],
    ]


def test_a_mismatch_of_wide_schemas_shows_the_clash_first() -> None:
    columns = [(f"c{n}", "BIGINT") for n in range(200)]
    with pytest.raises(SchemaMismatch) as caught:
        merge_columns(columns, [*columns[:-1], ("c199", "DATE")])
    lines = caught.value.message.splitlines()
    assert lines[2].startswith("! c199")
    assert "140 more columns" in lines[-1]
