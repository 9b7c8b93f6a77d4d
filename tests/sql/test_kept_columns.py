"""Columns that filters ask for again are held in memory, and hold the same."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from mcp_lakehouse.sql import kept_columns
from mcp_lakehouse.sql.kept_columns import KeptColumns

VIEW, NUMBER = "people@r3", "row number"
TYPES = {"State": "VARCHAR", "rate": "DECIMAL(8,2)", "day": "DATE", "tags": "VARCHAR[]", "past": "DECIMAL(8,2)[]"}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            f'CREATE VIEW "{VIEW}" AS SELECT i + (1::BIGINT << 40) AS "{NUMBER}", '
            "CASE i % 4 WHEN 0 THEN 'IL' WHEN 1 THEN 'é' WHEN 2 THEN '' END AS \"State\", "
            "(i / 10)::DECIMAL(8,2) AS rate, DATE '2026-01-01' + i::INTEGER AS day, ['a'] AS tags, "
            "[1.5::DECIMAL(8,2)] AS past FROM range(500) t(i)"
        )
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, source: str, condition: str) -> list[int]:
    found = connection.execute(f'SELECT "{NUMBER}" FROM {source} AS people WHERE {condition}').fetchall()
    return sorted(row for (row,) in found)


@pytest.mark.parametrize(
    ("columns", "condition"),
    [
        ({"State"}, "state = 'IL'"),
        ({"State", "rate"}, "people.state IS NULL OR rate BETWEEN 3.1 AND 7"),
        ({"day"}, "day < DATE '2026-02-01'"),
        ({"State"}, "\"State\" = 'é'"),
    ],
)
def test_what_is_kept_has_the_same_rows(
    connection: duckdb.DuckDBPyConnection, columns: set[str], condition: str
) -> None:
    kept = KeptColumns(connection, NUMBER)
    sources = [kept.source(VIEW, frozenset(columns), TYPES) for _ in range(3)]
    assert sources[0] == f'"{VIEW}"'
    assert sources[1] == sources[2] != sources[0]
    expected = rows(connection, sources[0], condition)
    assert 0 < len(expected) < 500
    assert rows(connection, sources[1], condition) == expected


def test_more_columns_are_kept_beside_those_that_are(connection: duckdb.DuckDBPyConnection) -> None:
    kept = KeptColumns(connection, NUMBER)
    for column in ("rate", "rate", "day", "day"):
        source = kept.source(VIEW, frozenset({column}), TYPES)
    assert kept.source(VIEW, frozenset({"rate", "day"}), TYPES) == source != f'"{VIEW}"'
    assert len(rows(connection, source, "rate >= 0 AND day IS NOT NULL")) == 500


@pytest.mark.parametrize("column", ["tags", "past"])
def test_nested_values_stay_in_their_files(connection: duckdb.DuckDBPyConnection, column: str) -> None:
    kept = KeptColumns(connection, NUMBER)
    assert {kept.source(VIEW, frozenset({column}), TYPES) for _ in range(3)} == {f'"{VIEW}"'}


def test_long_text_stays_in_its_files(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_columns, "_BYTES", 500 * (8 + 16) + 100)
    kept = KeptColumns(connection, NUMBER)
    assert {kept.source(VIEW, frozenset({"State"}), TYPES) for _ in range(3)} == {f'"{VIEW}"'}
    assert kept.source(VIEW, frozenset({"day"}), TYPES) == f'"{VIEW}"'
    assert kept.source(VIEW, frozenset({"day"}), TYPES) != f'"{VIEW}"'


def test_a_view_that_changed_is_read_again(connection: duckdb.DuckDBPyConnection) -> None:
    kept = KeptColumns(connection, NUMBER)
    for _ in range(2):
        source = kept.source(VIEW, frozenset({"rate"}), TYPES)
    connection.execute(f'CREATE OR REPLACE VIEW "{VIEW}" AS SELECT 7::BIGINT AS "{NUMBER}", 1::DECIMAL(8,2) AS rate')
    kept.forget(VIEW)
    for _ in range(2):
        again = kept.source(VIEW, frozenset({"rate"}), TYPES)
    assert rows(connection, again, "rate = 1") == [7]
    assert again == source


def test_no_more_than_a_few_versions_are_kept(connection: duckdb.DuckDBPyConnection) -> None:
    kept = KeptColumns(connection, NUMBER)
    for version in range(10):
        connection.execute(f'CREATE VIEW "v{version}" AS FROM "{VIEW}"')
        for _ in range(2):
            kept.source(f"v{version}", frozenset({"rate"}), TYPES)
    ((tables,),) = connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall()
    assert tables == 4
