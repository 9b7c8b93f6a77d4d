"""Which part of a text is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.excerpt import window

FILLER = "and so it goes on for quite a while "


def shown(text: str, query: str, chars: int) -> str:
    start, end = window(text, query, chars)
    return text[start:end]


def test_a_short_text_is_shown_whole() -> None:
    assert shown("the tuba waits", "tuba", 50) == "the tuba waits"


def test_the_stretch_with_most_of_the_query_is_shown() -> None:
    text = FILLER * 5 + "a forklift stood there " + FILLER * 5 + "the forklift operator has OSHA-10 " + FILLER * 5
    assert "forklift operator has OSHA-10" in shown(text, "Forklift operators with OSHA-10", 100)


def test_words_once_are_worth_more_than_one_word_often() -> None:
    text = "pay pay pay pay pay " + FILLER * 5 + "overtime pay in winter " + FILLER * 5
    assert "overtime pay in winter" in shown(text, "overtime pay winter", 60)


def test_without_any_word_the_beginning_is_shown() -> None:
    assert shown(FILLER * 9, "zither", 36) == FILLER.strip()
    assert shown("漢字" * 100, "tuba", 10) == "漢字" * 5


def test_a_word_longer_than_the_window_is_cut() -> None:
    assert "x" in shown("before " + "x" * 500 + " after", "x" * 500, 40)


@pytest.mark.parametrize("query", ["operator has", "goes"])
def test_it_begins_and_ends_between_words(query: str) -> None:
    text = FILLER * 5 + "the forklift operator has OSHA-10 " + FILLER * 5
    words = shown(text, query, 77).split()
    assert set(words) <= set(text.split())


@given(st.text("ab c", max_size=200), st.text("ab c", max_size=20), st.integers(25, 80))
def test_it_is_never_more_than_asked_nor_outside(text: str, query: str, chars: int) -> None:
    start, end = window(text, query, chars)
    assert 0 <= start <= end <= len(text)
    assert end - start <= chars
    assert end > start or not text
