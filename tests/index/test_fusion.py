"""Fusion: scores in 0..1 that rank as they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcp_lakehouse.index.fusion import Mode, fuse, ranked, score, share_for


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


CANDIDATES = st.lists(
    st.tuples(st.floats(-1, 1, width=32), st.floats(0, 60, width=32)), min_size=0, max_size=30
)  # cosine, BM25


@given(CANDIDATES, st.floats(-1, 1), st.floats(0, 1), st.sampled_from(["hybrid", "vector", "keyword"]))
def test_scores_lie_in_0_to_1_whatever_is_given(
    given_: list[tuple[float, float]], mean: float, share: float, mode: Mode
) -> None:
    cosines, bm25 = floats(*(c for c, _ in given_)), floats(*(b for _, b in given_))
    scores = score(mode, cosines, bm25, mean, share)
    assert scores.shape == (len(given_),)
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()


@given(CANDIDATES, st.floats(-1, 1), st.floats(0, 1))
def test_better_in_both_is_never_worse(given_: list[tuple[float, float]], mean: float, share: float) -> None:
    cosines, bm25 = floats(*(c for c, _ in given_)), floats(*(b for _, b in given_))
    scores = fuse(cosines, bm25, mean, share)
    for i in range(len(given_)):
        better = (cosines >= cosines[i]) & (bm25 >= bm25[i])
        assert (scores[better] >= scores[i] - 1e-6).all()


def test_the_formula_by_hand() -> None:
    # v = (.5-.1)/.4, (.3-.1)/.4, (.1-.1)/.4; b = 0, 2/8, 8/8
    scores = fuse(floats(0.5, 0.3, 0.1), floats(0, 2, 8), 0.1, 0.4)
    assert scores == pytest.approx([0.4, 0.4 * 0.5 + 0.6 * 0.25, 0.6])


def test_the_best_of_both_scores_one() -> None:
    assert fuse(floats(0.9, 0.2), floats(7, 1), 0.05, 0.5)[0] == pytest.approx(1)


@pytest.mark.parametrize("cosines", [(0.0, 0.0, 0.0), (0.1, 0.1, 0.1), (0.05, 0.1, -0.2)])
def test_vectors_that_say_nothing_leave_the_order_to_the_words(cosines: tuple[float, ...]) -> None:
    scores = fuse(floats(*cosines), floats(1, 3, 2), 0.1, 0.5)
    assert ranked(scores, 3).tolist() == [1, 2, 0]


def test_without_words_the_order_is_that_of_the_vectors() -> None:
    assert ranked(fuse(floats(0.2, 0.7, 0.4), floats(0, 0, 0), 0.1, 0.5), 3).tolist() == [1, 2, 0]


def test_modes_of_one_kind_alone() -> None:
    cosines, bm25 = floats(0.2, -0.7, 0.4), floats(5, 10, 0)
    assert score("vector", cosines, bm25, 0.1, 0.5) == pytest.approx([0.2, 0, 0.4])
    assert score("keyword", cosines, bm25, 0.1, 0.5) == pytest.approx([0.5, 1, 0])


@pytest.mark.parametrize(("limit", "expected"), [(-1, []), (0, []), (2, [1, 0]), (9, [1, 0, 2])])
def test_equal_scores_keep_their_order(limit: int, expected: list[int]) -> None:
    assert ranked(floats(0.5, 0.9, 0.5), limit).tolist() == expected


def test_words_that_match_are_none_the_worse_for_a_vector_that_does_not() -> None:
    assert fuse(floats(0.5, -0.3), floats(0, 9), 0.1, 0.4)[1] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("INV-20931", 0),
        ("marker2x172", 0),
        ("4711", 0),
        ("who holds OSHA-10", 2 / 3),
        ("find 12 welders", 1),
        ("résumés über 10%", 1),
        ("", 1),
    ],
)
def test_identifiers_are_a_matter_of_words(query: str, part: float) -> None:
    assert share_for(query, 0.4) == pytest.approx(0.4 * part)
