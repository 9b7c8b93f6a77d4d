"""Which types hold the values of two others, and which schemas may become one."""

from __future__ import annotations

import pytest

from mcp_lakehouse.errors import SchemaMismatch
from mcp_lakehouse.table import TableColumn, evolve
from mcp_lakehouse.table.evolution import common_type
from mcp_lakehouse.table.types import parse_type


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("TINYINT", "BIGINT", "BIGINT"),
        ("SMALLINT", "FLOAT", "FLOAT"),
        ("INTEGER", "FLOAT", "DOUBLE"),
        ("INTEGER", "DOUBLE", "DOUBLE"),
        ("FLOAT", "DOUBLE", "DOUBLE"),
        ("DECIMAL(5,2)", "DECIMAL(7,4)", "DECIMAL(7,4)"),
        ("DECIMAL(5,2)", "DECIMAL(5,4)", "DECIMAL(7,4)"),
        ("DECIMAL(5,2)", "INTEGER", "DECIMAL(12,2)"),
        ("DATE", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE"),
        ("INTEGER[]", "BIGINT[]", "BIGINT[]"),
        ("MAP(VARCHAR, TINYINT)", "MAP(VARCHAR, SMALLINT)", "MAP(VARCHAR, SMALLINT)"),
        ("STRUCT(a TINYINT, b DATE)", "STRUCT(c VARCHAR, a BIGINT)", "STRUCT(a BIGINT, b DATE, c VARCHAR)"),
        ("BIGINT", "DOUBLE", None),
        ("BIGINT", "VARCHAR", None),
        ("BOOLEAN", "TINYINT", None),
        ("DECIMAL(38,0)", "DECIMAL(38,1)", None),
        ("DECIMAL(5,2)", "DOUBLE", None),
        ("INTEGER[]", "INTEGER", None),
        ("INTEGER[]", "VARCHAR[]", None),
        ("STRUCT(a INTEGER)", "STRUCT(a VARCHAR)", None),
        ("STRUCT(a INTEGER)", "STRUCT(A INTEGER)", None),
    ],
)
def test_two_types_have_one_that_loses_nothing_or_none(one: str, other: str, both: str | None) -> None:
    for left, right in ((one, other), (other, one)):
        found = common_type(parse_type(left), parse_type(right))
        if both is None or not both.startswith("STRUCT"):
            assert (None if found is None else str(found)) == both
        else:
            assert set(str(found)[7:-1].split(", ")) == set(both[7:-1].split(", "))


def test_new_columns_are_nullable_and_come_last() -> None:
    current = [TableColumn("a", "BIGINT", nullable=False, description="old"), TableColumn("b", "DATE", nullable=False)]
    incoming = [TableColumn("new", "DOUBLE", nullable=False), TableColumn("a", "INTEGER", nullable=False)]
    assert evolve(current, incoming) == (
        TableColumn("a", "BIGINT", nullable=False, description="old"),
        TableColumn("b", "DATE", nullable=True),
        TableColumn("new", "DOUBLE", nullable=True),
    )


def test_a_mismatch_names_every_column_and_both_schemas() -> None:
    with pytest.raises(SchemaMismatch) as error:
        evolve(
            [TableColumn("a", "BIGINT"), TableColumn("b", "DATE")], [TableColumn("a", "BLOB"), TableColumn("B", "DATE")]
        )
    assert error.value.message == (
        "the new data does not fit: column 'B' is spelled 'b' in the table; "
        "column 'a' is BIGINT in the table and BLOB in the new data\n"
        "table: a BIGINT, b DATE\n"
        "new data: a BLOB, B DATE"
    )
