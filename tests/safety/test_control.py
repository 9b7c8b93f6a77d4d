"""Controls: the attacks bite in an engine without a guard, and the detectors see what they are there to see."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.safety.corpus import load
from tests.safety.fixture import CANARIES, PATH_CANARY, plant_secrets
from tests.safety.rates import leaks
from tests.safety.sources import SOURCES, write_sources

_READERS = {"parquet": "read_parquet", "csv": "read_csv", "ndjson": "read_ndjson"}
_ONLY_IN_A_LAKE = re.compile(r"\$\{|\bsystem\.|information_schema|^DESCRIBE$")
# Of 107 on DuckDB 2.0.0: 90 run, and 51 of those show the secret itself rather than a count or a length.
FILE_ATTACKS_THAT_RUN, FILE_ATTACKS_THAT_LEAK = 80, 45


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A plain engine with views over the fixture's files."""
    write_sources(tmp_path)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        for dataset, files in SOURCES.items():
            reader = _READERS[files[0].rpartition(".")[2]]
            paths = [str(tmp_path / file) for file in files]
            connection.execute(f'CREATE VIEW "{dataset}" AS FROM {reader}({paths})')
        yield connection


def test_most_file_attacks_read_the_secret_where_no_guard_stands(
    bare: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    plant_secrets(outside, outside, outside, outside)
    ran = leaked = 0
    for case in load("hostile.jsonl"):
        if case.category != "file-position":
            continue
        case = case.filled({"secret": str(outside / "secret.csv")})
        with contextlib.suppress(duckdb.Error):
            answer = bare.execute(case.arguments["statement"], case.arguments.get("params"))
            said = f"{answer.description} {answer.fetchall()}"
            ran += 1
            leaked += bool(leaks(said))
    assert ran >= FILE_ATTACKS_THAT_RUN
    assert leaked >= FILE_ATTACKS_THAT_LEAK


def test_benign_statements_have_the_same_number_of_rows_in_a_bare_engine(bare: duckdb.DuckDBPyConnection) -> None:
    wrong = []
    for case in load("benign.jsonl"):
        statement = case.arguments["statement"]
        if case.rows is None or _ONLY_IN_A_LAKE.search(statement):
            continue
        found = len(bare.execute(statement, case.arguments.get("params")).fetchall())
        if found != case.rows:
            wrong.append((case.id, found, case.rows))
    assert wrong == []


@pytest.mark.parametrize("start", [0, 1, 2])
def test_a_canary_is_seen_in_any_disguise(start: int) -> None:
    canary = CANARIES["outside"]
    assert leaks(f"x {canary.upper()} y") == ["outside"]
    assert leaks(canary.encode().hex()) == ["outside"]
    assert leaks(base64.b64encode(b"-" * start + canary.encode()).decode()) == ["outside"]
    assert leaks(f"no such file /{PATH_CANARY}/lake") == ["path"]
    assert leaks("canary-outside") == []
