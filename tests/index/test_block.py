"""Nearest neighbours under filters: right whatever the filter, whichever way was chosen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.clusters import Floats, clustered, normalised, truth
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.index.block import Block, measure_recall, needed_effort
from mcp_lakehouse.index.graph import GraphParameters, build_graph
from mcp_lakehouse.index.plan import Costs, Kind
from mcp_lakehouse.index.vectors import Positions, quantise

COUNT, DIMENSIONS, QUERIES = 12_000, 64, 40
# So that these few small vectors are served as 384 numbers each of a hundred thousand would be.
SHRUNK = Costs(graph=1.5, always_exact=20_000.0, filtered_exact=30_000.0)


class Lake:
    """A block in full, its vectors, the cluster of each, and queries from the same clusters."""

    def __init__(self, folder: Path) -> None:
        every, of = clustered(COUNT + QUERIES, DIMENSIONS)
        self.vectors, self.queries = every[:COUNT].copy(), every[COUNT:]
        self.of, self.asked = of[:COUNT], of[COUNT:]
        self.quantised = quantise(self.vectors, folder / "small.bin")
        self.graph = build_graph(self.vectors, folder / "graph", GraphParameters(), identity="x")
        self.block = Block(self.vectors, self.quantised, self.graph, costs=SHRUNK)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("block"))


def right(found: Floats, expected: Floats) -> float:
    """The share of the answer that is as near as the true one."""
    return float(np.count_nonzero(found >= expected[-1] - 1e-5) / len(expected))


class Sure:
    """A graph that knows the truth for allowed rows, or finds none: whatever the block does with it must be right."""

    def __init__(self, vectors: Floats, *, blind: bool = False) -> None:
        self.count, self.dimensions = vectors.shape
        self._vectors, self._blind = vectors, blind
        self.asked: list[bool] = []
        self.kept: list[int] = []

    def nearest(self, query: Floats, candidates: int, allowed: bytes | None) -> Positions | None:
        self.asked.append(allowed is not None)
        self.kept.append(candidates)
        if self._blind:
            return None
        scores = self._vectors @ query
        if allowed is not None:
            scores[np.frombuffer(allowed, np.uint8) == 0] = -2
        return np.argsort(-scores)[:candidates]


@pytest.mark.parametrize("share", [1.0, 0.95, 0.5, 0.1, 0.01, 0.001, 0.0002])
def test_recall_holds_at_every_selectivity(lake: Lake, share: float) -> None:
    random = np.random.default_rng(int(share * 10_000))
    recalls = []
    for query in lake.queries:
        mask = random.random(COUNT) < share
        found = lake.block.search(query, 10, allowed=mask)
        assert mask[found.positions].all()
        assert len(set(found.positions.tolist())) == len(found.positions) == min(10, int(mask.sum()))
        if mask.any():
            recalls.append(right(found.cosines, truth(lake.vectors, query, 10, mask)))
    assert np.mean(recalls or [1.0]) >= 0.99


@pytest.mark.parametrize("blocked", [1, 10, 18])
def test_recall_holds_when_the_filter_keeps_what_is_far(lake: Lake, blocked: int) -> None:
    centres = normalised(np.stack([lake.vectors[lake.of == each].mean(axis=0) for each in range(20)]))
    recalls = []
    for query in lake.queries:
        near = np.argsort(-(centres @ query))[:blocked]
        mask = ~np.isin(lake.of, near)
        found = lake.block.search(query, 10, allowed=mask)
        recalls.append(right(found.cosines, truth(lake.vectors, query, 10, mask)))
    assert np.mean(recalls) >= 0.99


def test_recall_of_each_way_alone(lake: Lake) -> None:
    graph = measure_recall(lake.block, lake.queries)
    quantised = measure_recall(Block(lake.vectors, lake.quantised, costs=SHRUNK), lake.queries)
    plain = measure_recall(Block(lake.vectors), lake.queries)
    assert (graph.recall >= 0.99, quantised.recall, plain.recall) == (True, 1.0, 1.0)
    assert 0 < graph.p50_ms <= graph.p99_ms


def test_effort_grows_until_the_recall_is_reached(lake: Lake) -> None:
    class Short(Sure):
        """Finds the true nearest only from 300 candidates on."""

        def nearest(self, query: Floats, candidates: int, allowed: bytes | None) -> Positions | None:
            near = super().nearest(query, candidates, allowed)
            return near if near is None or candidates >= 300 else near[5:]

    block = Block(lake.vectors, None, Short(lake.vectors))
    cheap = Costs(graph=0.001, always_exact=0.0)
    assert needed_effort(Block(lake.vectors, None, Short(lake.vectors), costs=cheap), lake.queries[:5]) == 300
    assert needed_effort(block, lake.queries[:5]) == 100, "too small for the graph: the vectors serve"
    assert needed_effort(Block(lake.vectors, lake.quantised, lake.graph, costs=cheap), lake.queries, recall=2) == 1_600


def test_another_effort_leaves_the_block_as_it_was(lake: Lake) -> None:
    graph = Sure(lake.vectors)
    block = Block(lake.vectors, lake.quantised, graph, costs=Costs(graph=0.001, always_exact=0.0))
    assert block.with_effort(5_000).search(lake.queries[0], 10).plan.kind == "graph"
    assert block.search(lake.queries[0], 10).plan.kind == "graph"
    assert graph.kept == [5_000, 100]


def test_the_account_says_what_was_done(lake: Lake) -> None:
    def text(allowed: NDArray[np.generic] | None) -> str:
        return lake.block.search(lake.queries[0], 10, allowed=allowed).plan.text

    assert text(None) == "graph over 12,000 of 12,000 rows"
    assert text(np.arange(512)) == "exact over 512 of 12,000 rows"
    assert text(np.empty(0, np.int64)) == "nothing over 0 of 12,000 rows"
    assert text(np.arange(2_000)) == "quantised over 2,000 of 12,000 rows"
    assert text(lake.of >= 0) == "graph over 12,000 of 12,000 rows"
    assert lake.block.search(lake.queries[0], 2_000).plan.kind == "exact"


def test_positions_and_masks_are_the_same_filter(lake: Lake) -> None:
    chosen = np.random.default_rng(1).permutation(COUNT)[:3_000]
    mask = np.zeros(COUNT, np.bool_)
    mask[chosen] = True
    for query in lake.queries[:5]:
        by_mask = lake.block.search(query, 25, allowed=mask)
        by_positions = lake.block.search(query, 25, allowed=np.concatenate([chosen, chosen[:7]]).astype(np.int32))
        assert by_mask.positions.tolist() == by_positions.positions.tolist()
        assert by_mask.plan == by_positions.plan


@pytest.mark.parametrize("k", [1, 100, 1_000, 5_000, COUNT, 10**9])
def test_any_k_gives_the_nearest_in_order(lake: Lake, k: int) -> None:
    found = lake.block.search(lake.queries[1], k)
    assert len(found.positions) == len(set(found.positions.tolist())) == min(k, COUNT)
    assert (np.diff(found.cosines) <= 0).all()
    assert right(found.cosines, truth(lake.vectors, lake.queries[1], k)) >= 0.99


def test_k_beyond_what_matches_gives_all_that_match(lake: Lake) -> None:
    found = lake.block.search(lake.queries[0], 50, allowed=np.array([7, 3, 11_999]))
    assert sorted(found.positions.tolist()) == [3, 7, 11_999]


def test_exact_is_the_truth(lake: Lake) -> None:
    mask = lake.of < 12
    for allowed in (None, mask, np.flatnonzero(lake.of == 3)):
        found = lake.block.search(lake.queries[2], 30, allowed=allowed, exact=True)
        positions = np.arange(COUNT) if allowed is None else (np.flatnonzero(mask) if allowed is mask else allowed)
        expected = truth(lake.vectors[positions], lake.queries[2], 30)
        np.testing.assert_allclose(found.cosines, expected, atol=1e-5)
        assert found.plan.kind == "exact"


def test_cosines_are_true_and_in_the_order_asked(lake: Lake) -> None:
    positions = np.array([11, 2, 2, 9_000])
    expected = lake.vectors[positions] @ lake.queries[3]
    np.testing.assert_allclose(lake.block.cosines(lake.queries[3] * 4, positions), expected, atol=1e-5)
    assert lake.block.cosines(lake.queries[3], np.empty(0, np.int64)).shape == (0,)


def test_equal_vectors_are_found_each_once_first_ones_first() -> None:
    vectors = np.repeat(clustered(40, 16)[0], 200, axis=0)
    block = Block(vectors)
    found = block.search(vectors[400], 250)
    assert found.positions[:200].tolist() == list(range(400, 600))
    assert len(set(found.positions.tolist())) == 250


def test_equal_vectors_in_all_ways(tmp_path: Path) -> None:
    vectors = np.repeat(clustered(6, 16)[0], 2_000, axis=0)
    block = Block(
        vectors,
        quantise(vectors, tmp_path / "q"),
        build_graph(vectors, tmp_path / "g", GraphParameters(), identity=""),
        costs=SHRUNK,
    )
    for allowed in (None, np.arange(0, 12_000, 2), np.ones(12_000, np.bool_)):
        found = block.search(vectors[5_000], 20, allowed=allowed)
        np.testing.assert_allclose(found.cosines, 1.0, atol=1e-5)
        assert len(set(found.positions.tolist())) == 20


def test_zero_rows_are_as_near_as_a_right_angle() -> None:
    vectors = normalised(np.array([[1, 0], [0, 0], [-1, 0]], np.float32))
    found = Block(vectors).search(np.array([2.0, 0.0], np.float32), 3)
    assert (found.positions.tolist(), found.cosines.tolist()) == ([0, 1, 2], [1.0, 0.0, -1.0])


def test_a_zero_query_finds_nothing(lake: Lake) -> None:
    found = lake.block.search(np.zeros(DIMENSIONS, np.float32), 10)
    assert (len(found.positions), found.plan.kind) == (0, "nothing")
    assert lake.block.cosines(np.zeros(DIMENSIONS, np.float32), np.array([1])).tolist() == [0.0]


def test_no_rows_find_nothing() -> None:
    block = Block(np.empty((0, 8), np.float32))
    found = block.search(np.ones(8, np.float32), 10)
    assert (found.positions.shape, found.cosines.shape, found.plan.text) == ((0,), (0,), "nothing over 0 of 0 rows")
    assert measure_recall(block, np.ones((2, 8), np.float32)).recall == 1.0


def test_huge_and_tiny_queries_are_directions(lake: Lake) -> None:
    expected = lake.block.search(lake.queries[0], 5, exact=True).positions.tolist()
    for scale in (1e30, 1e-30):
        assert lake.block.search(lake.queries[0] * np.float32(scale), 5, exact=True).positions.tolist() == expected


@pytest.mark.parametrize(
    ("query", "k", "allowed", "says"),
    [
        (np.ones(63, np.float32), 1, None, "63"),
        (np.ones((1, 64), np.float32), 1, None, "shape"),
        (np.full(64, np.nan, np.float32), 1, None, "NaN"),
        (np.full(64, np.inf, np.float32), 1, None, "infinity"),
        (np.ones(64, np.float32), 0, None, "k is 0"),
        (np.ones(64, np.float32), -5, None, "k is -5"),
        (np.ones(64, np.float32), 1, np.ones(5, np.bool_), "filter"),
        (np.ones(64, np.float32), 1, np.array([-1]), "outside"),
        (np.ones(64, np.float32), 1, np.array([COUNT]), "outside"),
        (np.ones(64, np.float32), 1, np.array([0.5]), "float64"),
    ],
)
def test_what_cannot_be_asked(
    lake: Lake, query: Floats, k: int, allowed: NDArray[np.generic] | None, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says) as raised:
        lake.block.search(query, k, allowed=allowed)
    assert raised.value.hint


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
def test_rows_that_are_not_normalised_are_refused(value: float) -> None:
    vectors = clustered(10, 8)[0]
    vectors[4, 2] = value
    with pytest.raises(InvalidInput, match="vector 4"):
        Block(vectors)


def test_parts_of_other_vectors_are_refused(lake: Lake) -> None:
    fewer = lake.vectors[:-1]
    with pytest.raises(InvalidInput, match="other vectors"):
        Block(fewer, lake.quantised)
    with pytest.raises(InvalidInput, match="other vectors"):
        Block(fewer, None, lake.graph)
    with pytest.raises(InvalidInput, match="float64"):
        Block(fewer.astype(np.float64))  # type: ignore[arg-type]


@pytest.mark.parametrize(("share", "kind"), [(0.97, "graph"), (0.05, "quantised")])
def test_a_graph_is_probed_before_it_walks_under_a_filter(lake: Lake, share: float, kind: Kind) -> None:
    graph = Sure(lake.vectors)
    block = Block(lake.vectors, lake.quantised, graph, costs=SHRUNK)
    order = np.argsort(lake.vectors @ lake.queries[0])
    # The rows that match are the farthest ones: none of the nearest passes.
    mask = np.zeros(COUNT, np.bool_)
    mask[order[: int(COUNT * 0.95)]] = True
    if kind == "graph":
        mask[order] = np.random.default_rng(3).random(COUNT) < share
    found = block.search(lake.queries[0], 10, allowed=mask)
    assert (found.plan.kind, graph.asked) == (kind, [False])
    np.testing.assert_allclose(found.cosines, truth(lake.vectors, lake.queries[0], 10, mask), atol=1e-5)


def test_a_graph_walks_under_a_filter_that_lets_some_pass(lake: Lake) -> None:
    graph = Sure(lake.vectors)
    block = Block(lake.vectors, None, graph, costs=SHRUNK)
    mask = np.random.default_rng(3).random(COUNT) < 0.97
    near = np.argsort(-(lake.vectors @ lake.queries[0]))[:100]
    mask[near] = False
    mask[near[::5]] = True
    mask[near[:50]] = False
    found = block.search(lake.queries[0], 15, allowed=mask, exact=False)
    np.testing.assert_allclose(found.cosines, truth(lake.vectors, lake.queries[0], 15, mask), atol=1e-5)
    assert (found.plan.kind, graph.asked) == ("graph", [False, True])


def test_a_graph_that_finds_too_few_is_left(lake: Lake) -> None:
    block = Block(lake.vectors, lake.quantised, Sure(lake.vectors, blind=True), costs=SHRUNK)
    mask = np.ones(COUNT, np.bool_)
    mask[:50] = False
    for allowed in (None, mask):
        found = block.search(lake.queries[0], 10, allowed=allowed)
        assert found.plan.kind == "quantised"
        np.testing.assert_allclose(found.cosines, truth(lake.vectors, lake.queries[0], 10, allowed), atol=1e-5)


def test_many_search_at_once(lake: Lake) -> None:
    mask = lake.of != lake.asked[0]
    alone = [lake.block.search(query, 10, allowed=mask).positions.tolist() for query in lake.queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(
            pool.map(lambda query: lake.block.search(query, 10, allowed=mask).positions.tolist(), lake.queries)
        )
    assert together == alone


def test_vectors_and_copies_may_be_memory_maps(lake: Lake, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", lake.vectors)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    block = Block(mapped, lake.quantised, lake.graph, costs=SHRUNK)
    found = block.search(lake.queries[0], 10)
    assert found.positions.tolist() == lake.block.search(lake.queries[0], 10).positions.tolist()
