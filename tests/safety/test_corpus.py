"""The corpora themselves: well-formed, large enough, and complete against the engine that is installed."""

from __future__ import annotations

import re

import duckdb

from tests.safety.corpus import load, texts

HOSTILE_LEAST, BENIGN_LEAST = 1_000, 300
# Table functions that only compute on their arguments.
HARMLESS = frozenset(("generate_series", "icu_calendar_names", "json_each", "json_tree", "pg_timezone_names"))
HARMLESS |= {"range", "repeat", "repeat_row", "unnest"}


def test_ids_are_unique_and_the_corpora_large_enough() -> None:
    hostile, benign = load("hostile.jsonl"), load("benign.jsonl")
    ids = [case.id for case in (*hostile, *benign)]
    assert len(ids) == len(set(ids))
    assert len(hostile) >= HOSTILE_LEAST
    assert len(benign) >= BENIGN_LEAST


def test_every_hostile_case_says_what_is_expected_and_why() -> None:
    hostile = load("hostile.jsonl")
    assert {case.expect for case in hostile} == {"refused", "contained"}
    assert [case.id for case in hostile if not case.why] == []


def test_every_table_function_of_the_engine_is_attacked_or_allowed() -> None:
    """A new engine brings new functions: each must be looked at before it passes here."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro')"
        ).fetchall()
    refused = [case for case in load("hostile.jsonl") if case.expect == "refused"]
    called = {
        name for case in refused for text in texts(case.arguments) for name in re.findall(r"\w+(?=\()", text.lower())
    }
    assert sorted({str(name) for (name,) in rows} - called - HARMLESS) == []
