"""Which rows of a table hold for the amount that is asked about."""

from __future__ import annotations

import pytest

from mcp_lakehouse.answer.ranges import outside

LEAVE = "Length of service: {}; Days of annual leave: 27; Days that may be carried over: 5"


@pytest.mark.parametrize(
    ("question", "service"),
    [
        ("How much annual leave do I get after six years?", "Over 5 years"),
        ("How much leave do I get after 3 years?", "2 to 5 years"),
        ("How much leave after 3 years of service?", "2–5 years"),
        ("How much leave after one year?", "Under 2 years"),
        ("How much leave after 10 years?", "5+ years"),
        ("How much leave after 10 years?", "5 years or more"),
        ("How much leave do I get after 18 months?", "2 to 5 years"),
        ("How much annual leave is there?", "2 to 5 years"),
        ("Who had 3 years off in 2024?", "five"),
    ],
)
def test_a_row_is_kept_whose_range_holds_the_amount_or_that_is_of_something_else(question: str, service: str) -> None:
    assert not outside(question, LEAVE.format(service))


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("How much annual leave do I get after six years?", LEAVE.format("2 to 5 years")),
        ("How much annual leave do I get after six years?", LEAVE.format("Up to 2 years")),
        ("What does a parcel of 12 kg cost?", "Weight (kg): 0-5; Price: 4.90"),
        ("What does a 12 kg parcel cost?", "Weight: over 20 kg; Price: 14.90"),
        ("What does a parcel of 1,200 g cost?", "Weight: less than 1,000 g; Price: 2.90"),
        ("What is the fare for a 7-year-old?", "Age: under 5 years; Fare: free"),
    ],
)
def test_a_row_is_not_that_is_for_other_amounts(question: str, row: str) -> None:
    assert outside(question, row)
