"""The two rates that are published: every hostile statement refused or contained, every benign one answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.safety.rates import Outcome, Rates, markdown, measure


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> Rates:
    return measure(tmp_path_factory.mktemp("safety"))


def _fail_on_trouble(outcomes: list[Outcome]) -> None:
    troubles = [str(each) for each in outcomes if each.trouble]
    if troubles:
        pytest.fail("\n".join(troubles), pytrace=False)


def test_every_hostile_statement_and_call_is_refused_or_contained(
    rates: Rates, record_property: Callable[[str, object], None]
) -> None:
    record_property("summary", markdown(rates))
    _fail_on_trouble(rates.hostile)


def test_every_benign_statement_is_answered(rates: Rates) -> None:
    _fail_on_trouble(rates.benign)


def test_nothing_is_changed_reached_or_swollen_when_all_is_over(rates: Rates) -> None:
    assert rates.afterwards == []
