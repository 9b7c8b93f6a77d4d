"""What is true of the agency's tables, whatever the seed."""

from __future__ import annotations

import re
from datetime import date
from functools import partial
from typing import Any

import duckdb
import pytest

from mcp_lakehouse.story.workers import TODAY
from story.conftest import WORKERS, Story


@pytest.fixture(scope="module")
def ask(story: Story) -> Any:
    """Runs a statement over the story's tables."""
    with duckdb.connect() as connection:
        for file in story.made:
            name = file.path.removesuffix(".parquet")
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{story.folder / file.path}')")
        yield partial(_rows, connection)


def _rows(connection: duckdb.DuckDBPyConnection, statement: str) -> list[tuple[Any, ...]]:
    return connection.sql(statement).fetchall()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("workers", "worker_id"),
        ("workers", "email"),
        ("clients", "client_id"),
        ("clients", "name"),
        ("contracts", "contract_id"),
        ("fills", "fill_id"),
        ("fills", "(contract_id, worker_id)"),
        ("certificates", "(worker_id, certification)"),
    ],
)
def test_keys_are_unique(ask: Any, table: str, key: str) -> None:
    [(rows, distinct)] = ask(f"SELECT count(*), count(DISTINCT {key}) FROM {table}")
    assert rows == distinct > 0


@pytest.mark.parametrize(
    ("table", "key", "parent"),
    [
        ("fills", "worker_id", "workers"),
        ("fills", "contract_id", "contracts"),
        ("contracts", "client_id", "clients"),
        ("certificates", "worker_id", "workers"),
        ("resumes", "worker_id", "workers"),
    ],
)
def test_what_is_referred_to_is_there(ask: Any, table: str, key: str, parent: str) -> None:
    assert ask(f"SELECT count(*) FROM {table} ANTI JOIN {parent} USING ({key})") == [(0,)]


def test_nobody_is_in_two_places_at_once(ask: Any) -> None:
    overlaps = """
        SELECT count(*) FROM fills a JOIN fills b USING (worker_id)
        WHERE a.fill_id < b.fill_id AND a.start_date <= b.end_date AND b.start_date <= a.end_date"""
    assert ask(overlaps) == [(0,)]
    [(busiest,)] = ask("SELECT max(n) FROM (SELECT count(*) AS n FROM fills GROUP BY worker_id)")
    assert busiest > 1


def test_fills_lie_within_their_contracts(ask: Any) -> None:
    wrong = "f.start_date < c.start_date OR f.end_date > c.end_date OR f.end_date < f.start_date"
    assert ask(f"SELECT count(*) FROM fills f JOIN contracts c USING (contract_id) WHERE {wrong}") == [(0,)]


def test_contracts_are_filled_by_their_role_in_their_state_and_never_over_their_headcount(ask: Any) -> None:
    others = """
        SELECT count(*) FROM fills JOIN contracts c USING (contract_id) JOIN workers w USING (worker_id)
        WHERE (c.role, c.state) <> (w.role, w.state)"""
    assert ask(others) == [(0,)]
    crowded = (
        "SELECT contract_id FROM fills JOIN contracts USING (contract_id) GROUP BY ALL HAVING count(*) > max(headcount)"
    )
    assert ask(crowded) == []
    [(share,)] = ask("SELECT (SELECT count(*) FROM fills) / (SELECT sum(headcount) FROM contracts)")
    assert 0.4 < share < 0.8


def test_who_fills_a_contract_held_what_it_asks_for_when_it_began(ask: Any) -> None:
    missing = """
        SELECT count(*) FROM (
            SELECT f.worker_id, f.start_date, unnest(string_split(c.required_certifications, '; ')) AS certification
            FROM fills f JOIN contracts c USING (contract_id) WHERE c.required_certifications IS NOT NULL) asked
        ANTI JOIN certificates h ON h.worker_id = asked.worker_id AND h.certification = asked.certification
            AND asked.start_date >= h.issued_on AND (h.expires_on IS NULL OR asked.start_date <= h.expires_on)"""
    assert ask(missing) == [(0,)]


def test_outcomes_fit_their_dates(ask: Any) -> None:
    spans = {
        outcome: (first, last)
        for outcome, first, last in ask("SELECT outcome, min(end_date), max(start_date) FROM fills GROUP BY ALL")
    }
    assert set(spans) == {"completed", "ended_early", "no_show", "active", "booked"}
    for outcome in ("completed", "ended_early", "no_show"):
        assert ask(f"SELECT max(end_date) < DATE '{TODAY}' FROM fills WHERE outcome = '{outcome}'") == [(True,)]
    assert spans["active"][0] >= TODAY >= spans["active"][1]
    assert ask(f"SELECT min(start_date) > DATE '{TODAY}', max(hours) FROM fills WHERE outcome = 'booked'") == [
        (True, 0)
    ]


def test_availability_follows_from_the_fills(ask: Any) -> None:
    wrong = f"""
        SELECT count(*) FROM workers w LEFT JOIN (
            SELECT worker_id, max(end_date) AS last,
                bool_or(start_date <= DATE '{TODAY}' AND end_date >= DATE '{TODAY}') AS now
            FROM fills GROUP BY ALL) f USING (worker_id)
        WHERE available_from < DATE '{TODAY}' OR available_from <= last
            OR (status = 'inactive') <> (available_from IS NULL)
            OR (status = 'assigned') <> coalesce(now, false)
            OR (status = 'booked') <> (coalesce(last >= DATE '{TODAY}', false) AND NOT coalesce(now, false))"""
    assert ask(wrong) == [(0,)]


def test_certifications_of_workers_are_those_valid_today(ask: Any) -> None:
    lists = f"""
        SELECT count(*) FROM workers w LEFT JOIN (
            SELECT worker_id, list_sort(list(certification)) AS held FROM certificates
            WHERE expires_on IS NULL OR expires_on >= DATE '{TODAY}' GROUP BY ALL) USING (worker_id)
        WHERE list_sort(string_split(certifications, '; ')) IS DISTINCT FROM held"""
    assert ask(lists) == [(0,)]
    [(lapsed, earliest, latest)] = ask(
        f"SELECT count(*) FILTER (expires_on < DATE '{TODAY}') / count(*), min(issued_on), max(issued_on) FROM certificates"
    )
    assert 0.05 < lapsed < 0.3
    assert date(1995, 1, 1) < earliest < latest <= TODAY


def test_wages_follow_role_state_and_years(ask: Any) -> None:
    def mean(where: str) -> float:
        return float(ask(f"SELECT avg(hourly_rate) FROM workers WHERE {where}")[0][0])

    assert mean("role = 'electrician'") > mean("role = 'forklift operator'") > mean("role = 'food production worker'")
    assert mean("role = 'loader' AND state = 'CA'") > mean("role = 'loader' AND state = 'TN'")
    assert mean("role = 'welder' AND years_experience > 12") > mean("role = 'welder' AND years_experience < 4")
    assert ask("SELECT min(hourly_rate) >= 15, max(hourly_rate) < 90 FROM workers") == [(True, True)]


def test_better_pay_fills_more(ask: Any) -> None:
    paid = """
        SELECT corr(pay, filled / headcount) FROM (
            SELECT c.pay_rate AS pay, headcount, count(worker_id) AS filled
            FROM contracts c LEFT JOIN fills USING (contract_id)
            WHERE role = 'warehouse associate' AND state = 'IL' AND status = 'completed'
            GROUP BY contract_id, c.pay_rate, headcount)"""
    [(correlation,)] = ask(paid)
    assert correlation > 0.1


def test_nobody_can_be_rung_or_written_to(ask: Any) -> None:
    people = ask("SELECT phone, email, zip FROM workers")
    assert len(people) == WORKERS
    assert all(re.fullmatch(r"\(\d{3}\) 555-01\d\d", phone) for phone, _, _ in people)
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@example\.com", email) for _, email, _ in people)
    assert all(re.fullmatch(r"\d{5}", code) for _, _, code in people)
