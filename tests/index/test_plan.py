"""The choice of a way, from figures alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcp_lakehouse.index.plan import Plan, Question, choose, effort, kind_of, probe_depth

FULL = Question(matching=100_000, total=100_000, k=10, dimensions=384, quantised=True, graph=True)
MILLION = replace(FULL, matching=1_000_000, total=1_000_000)


def test_no_row_that_matches_is_nothing() -> None:
    assert choose(replace(FULL, matching=0)) == "nothing"
    assert choose(replace(FULL, k=0)) == "nothing"


def test_few_rows_are_looked_at_themselves() -> None:
    assert choose(replace(FULL, matching=10)) == "gather"
    assert choose(replace(FULL, matching=2_500)) == "gather"
    assert choose(replace(FULL, matching=2_000, total=2_000)) == "scan"


def test_medium_sets_go_by_the_quantised_copy() -> None:
    assert choose(replace(FULL, matching=3_000)) == "quantised gather"
    assert choose(replace(FULL, matching=30_000)) == "quantised gather"
    assert choose(replace(FULL, matching=50_000, graph=False)) == "quantised gather"
    assert choose(replace(FULL, matching=80_000, graph=False)) == "quantised scan"


def test_all_rows_go_by_the_graph_unless_there_are_few_or_k_is_large() -> None:
    assert choose(FULL) == "graph"
    assert choose(replace(FULL, matching=5_000, total=5_000)) == "quantised scan"
    assert choose(replace(FULL, k=2_000)) == "quantised scan"


def test_a_filter_over_many_rows_is_probed_first_and_decided_by_what_passes() -> None:
    half = replace(MILLION, matching=500_000)
    assert choose(half) == "probe"
    assert choose(half, passing=0.4) == "graph"
    assert choose(half, passing=0.01) == "quantised gather"
    assert choose(half, passing=0.0) == "quantised gather"


def test_a_few_rows_deleted_are_no_reason_to_leave_the_graph() -> None:
    assert choose(replace(FULL, matching=99_000)) == "probe"


def test_exact_is_exact() -> None:
    assert choose(replace(MILLION, exact=True)) == "scan"
    assert choose(replace(MILLION, matching=300_000, exact=True)) == "gather"


def test_without_copy_or_graph_the_vectors_serve() -> None:
    bare = replace(MILLION, quantised=False, graph=False)
    assert choose(bare) == "scan"
    assert choose(replace(bare, matching=100)) == "gather"
    assert choose(replace(bare, quantised=True)) == "quantised scan"


def test_more_rows_need_more_candidates_though_not_as_many_times_more() -> None:
    needed = [effort(replace(FULL, k=k, effort=200)) for k in (1, 10, 100, 1_000, 10_000)]
    assert needed == [200, 200, 633, 2_000, 20_000]


@pytest.mark.parametrize("k", [1, 10, 100, 1_000])
def test_a_probe_is_as_sure_of_its_nearer_half_as_a_walk_for_so_many_rows(k: int) -> None:
    question = replace(FULL, k=k, matching=90_000)
    depth, candidates = probe_depth(question)
    assert depth >= 4 * k
    assert candidates >= max(depth, effort(replace(question, k=depth // 2)))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_probe_looks_as_far_as_the_rows_of_its_filter_are_expected(share: float) -> None:
    depth, _ = probe_depth(replace(FULL, k=50, matching=round(share * FULL.total)))
    # Its nearer half has to hold them.
    assert depth / 2 * share > 50
    assert choose(replace(FULL, matching=50_000, k=50)) == "probe"


def test_more_is_needed_of_a_graph_that_is_worse() -> None:
    assert choose(replace(FULL, effort=5_000)) == "quantised scan"


@pytest.mark.parametrize(
    ("way", "text"),
    [
        ("gather", "exact over 512 of 100,000 rows"),
        ("scan", "exact over 512 of 100,000 rows"),
        ("quantised gather", "quantised over 512 of 100,000 rows"),
        ("graph", "graph over 512 of 100,000 rows"),
        ("probe", "graph over 512 of 100,000 rows"),
        ("nothing", "nothing over 512 of 100,000 rows"),
    ],
)
def test_the_account_is_a_sentence(way: str, text: str) -> None:
    assert Plan(kind_of(way), 512, 100_000).text == text  # type: ignore[arg-type]
