"""Hostile fragments inside benign shells: whatever stands around it, a file function stays refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import pytest

from tests.safety.corpus import Case
from tests.safety.fixture import Planted, planted
from tests.safety.fragments import harmless, hostile
from tests.safety.rates import run

STATEMENTS = 600
SEED = 20_260_101


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    with planted(tmp_path_factory.mktemp("fuzz")) as built:
        yield built


def _cases(statements: Iterable[str], expect: str) -> list[Case]:
    return [
        Case(f"{expect}-{number}", "fuzz", "sql", {"statement": statement}, expect)
        for number, statement in enumerate(statements)
    ]


def test_every_shell_is_answered_with_nothing_hostile_inside(fixture: Planted) -> None:
    outcomes = run(fixture, _cases(harmless(), "answered"))
    assert [(each.case.arguments["statement"], each.trouble) for each in outcomes if each.trouble] == []


def test_a_hostile_fragment_is_refused_in_every_shell(fixture: Planted) -> None:
    outcomes = run(fixture, _cases(hostile(STATEMENTS, SEED), "refused"))
    assert [(each.case.arguments["statement"], each.trouble) for each in outcomes if each.trouble] == []


def test_what_the_fuzz_makes_is_sql() -> None:
    with duckdb.connect() as connection:
        broken = [text for text in hostile(STATEMENTS, SEED) if not _parses(connection, text)]
    assert broken == []


def _parses(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    try:
        return len(connection.extract_statements(statement)) > 0
    except duckdb.Error:
        return False


def test_the_snapshot_sees_a_file_that_comes_and_one_that_changes(fixture: Planted) -> None:
    before = fixture.snapshot(content=False)
    secret = fixture.root / "inbox" / "ok.csv"
    added = fixture.lake_folder / "tables" / "trips" / "added.parquet"
    added.touch()
    assert fixture.snapshot(content=False).keys() - before.keys() == {str(added)}
    added.unlink()
    secret.write_bytes(secret.read_bytes()[::-1])
    assert fixture.snapshot(content=False) != before
