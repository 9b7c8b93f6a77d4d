"""Types are read and written as DuckDB does, and go through the log unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.errors import InvalidInput, UnsupportedLake
from mcp_lakehouse.table import TableColumn, storable_type
from mcp_lakehouse.table.schema import columns_of, schema_string
from mcp_lakehouse.table.types import DEPTH_LIMIT, Decimal, List, Map, Scalar, SqlType, Struct, parse_type

PLAIN = ["BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE"]
ZONED = "TIMESTAMP WITH TIME ZONE"

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
fields = st.lists(names, min_size=1, max_size=4, unique_by=lambda name: name.lower())


def types() -> st.SearchStrategy[SqlType]:
    """Types that a table can hold."""
    leaves: st.SearchStrategy[SqlType] = st.one_of(
        st.sampled_from([*PLAIN, ZONED, "TIMESTAMP"]).map(Scalar),
        st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: Decimal(p, s))),
    )

    def nested(inner: st.SearchStrategy[SqlType]) -> st.SearchStrategy[SqlType]:
        structs = fields.flatmap(
            lambda known: st.tuples(*(inner for _ in known)).map(
                lambda members: Struct(tuple(zip(known, members, strict=True)))
            )
        )
        return st.one_of(inner.map(List), st.builds(Map, inner, inner), structs)

    return st.recursive(leaves, nested, max_leaves=8)


@given(types())
def test_every_type_survives_its_text_and_the_log(type_: SqlType) -> None:
    assert parse_type(str(type_)) == type_
    column = TableColumn("c", str(type_), description="what it is")
    assert columns_of(schema_string([column])) == (column,)
    assert storable_type(str(type_)).replace(ZONED, "TIMESTAMP") == str(type_).replace(ZONED, "TIMESTAMP")


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


@given(types())
def test_duckdb_reads_the_text_as_the_same_type(connection: duckdb.DuckDBPyConnection, type_: SqlType) -> None:
    ((told,),) = connection.sql(f"SELECT typeof(CAST(NULL AS {type_}))").fetchall()
    assert parse_type(told) == type_


def test_every_keyword_of_duckdb_is_a_possible_field(connection: duckdb.DuckDBPyConnection) -> None:
    keywords = connection.sql("SELECT DISTINCT keyword_name FROM duckdb_keywords()").fetchall()
    text = str(Struct(tuple((keyword, Scalar("BIGINT")) for (keyword,) in keywords)))
    ((told,),) = connection.sql(f"SELECT typeof(CAST(NULL AS {text}))").fetchall()
    assert len(keywords) > 400
    assert parse_type(told) == parse_type(text)


@pytest.mark.parametrize(
    ("text", "log"),
    [
        ("BIGINT", "long"),
        ("DECIMAL(10,2)", "decimal(10,2)"),
        (ZONED, "timestamp"),
        ("VARCHAR[]", {"type": "array", "elementType": "string", "containsNull": True}),
        (
            "MAP(VARCHAR, BLOB)",
            {"type": "map", "keyType": "string", "valueType": "binary", "valueContainsNull": True},
        ),
        (
            'STRUCT(a TINYINT, "b ""c" DATE)',
            {
                "type": "struct",
                "fields": [
                    {"name": "a", "type": "byte", "nullable": True, "metadata": {}},
                    {"name": 'b "c', "type": "date", "nullable": True, "metadata": {}},
                ],
            },
        ),
    ],
)
def test_the_log_has_its_own_names(text: str, log: object) -> None:
    schema = json.loads(schema_string([TableColumn("c", text, nullable=False)]))
    assert schema["fields"] == [{"name": "c", "type": log, "nullable": False, "metadata": {}}]


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("UTINYINT", "SMALLINT"),
        ("UBIGINT", "DECIMAL(20,0)"),
        ("HUGEINT", "DECIMAL(38,0)"),
        ("TIMESTAMP_NS", ZONED),
        ("TIME WITH TIME ZONE", "VARCHAR"),
        ("UUID", "VARCHAR"),
        ("ENUM('a', 'b,)''(')", "VARCHAR"),
        ("UNION(a INTEGER, b VARCHAR)", "VARCHAR"),
        ('"NULL"', "VARCHAR"),
        ("FLOAT[384]", "FLOAT[]"),
        ('STRUCT(a UINTEGER[3][], "b c" MAP(UUID, INTERVAL))', 'STRUCT(a BIGINT[][], "b c" MAP(VARCHAR, VARCHAR))'),
    ],
)
def test_what_a_table_cannot_hold_has_a_nearest_type(text: str, nearest: str) -> None:
    assert storable_type(text) == nearest
    assert columns_of(schema_string([TableColumn("c", nearest)]))[0].type == nearest
    with pytest.raises(InvalidInput, match="which a table cannot hold") as error:
        schema_string([TableColumn("c", text)])
    assert error.value.hint == f"cast it to {nearest}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        "STRUCT",
        "STRUCT()",
        "STRUCT(a)",
        "MAP(VARCHAR)",
        "DECIMAL(a,b)",
        "BIGINT[",
        "BIGINT]",
        "A B",
        "a;b",
        "'x'",
    ],
)
def test_what_is_not_a_type_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a SQL type"):
        parse_type(text)


def test_a_type_without_bottom_is_refused() -> None:
    deep = DEPTH_LIMIT + 1
    for text in ("STRUCT(a " * deep + "BIGINT" + ")" * deep, "BIGINT" + "[]" * deep, "MAP(INTEGER, " * deep):
        with pytest.raises(InvalidInput, match="nested deeper"):
            parse_type(text)


@pytest.mark.parametrize("bad", ["{", "{}", '{"fields": [{"name": "a", "type": "interval", "nullable": true}]}', "[]"])
def test_a_schema_of_unknown_types_is_refused(bad: str) -> None:
    with pytest.raises(UnsupportedLake, match="does not know"):
        columns_of(bad)
