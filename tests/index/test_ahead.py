"""What is looked up before a filter is known gives the answer that would be found after it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from index.clusters import Floats, clustered, truth
from mcp_lakehouse.index.ahead import FETCHED, Ahead
from mcp_lakehouse.index.block import Block
from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.index.plan import Costs
from mcp_lakehouse.index.vectors import Positions

COUNT, DIMENSIONS, DEPTH = 4_000, 32, 10
# Filters that let a good part pass go by the graph, few vectors as these are.
SHRUNK = Costs(graph=0.5, always_exact=0.0, filtered_exact=0.0)


class Counted:
    """A graph that knows the truth, and how often it was asked."""

    def __init__(self, vectors: Floats) -> None:
        self.count, self.dimensions = vectors.shape
        self._vectors = vectors
        self.asked = 0

    def nearest(self, query: Floats, candidates: int, allowed: bytes | None) -> Positions | None:
        assert allowed is None
        self.asked += 1
        return np.argsort(-(self._vectors @ query))[:candidates]


class Place:
    """Passages by vector and by words."""

    def __init__(self, folder: Path) -> None:
        every, _ = clustered(COUNT + 1, DIMENSIONS)
        self.vectors, self.query = every[:COUNT].copy(), every[COUNT]
        self.graph = Counted(self.vectors)
        self.block = Block(self.vectors, None, self.graph, costs=SHRUNK)
        self.keywords = Keywords(folder)
        self.keywords.add("one", [f"otter {'river' if n % 3 else 'stone'} number{n}" for n in range(COUNT)])
        self.keywords.commit()

    def ahead(self, words: str, vector: Floats | None, share: float) -> Ahead:
        return Ahead(self.keywords, self.block, words, vector, DEPTH, share)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    with place.keywords:
        yield place


def passing(share: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.random.default_rng(3).random(COUNT) < share


@pytest.mark.parametrize("share", [0.95, 0.8, 0.6])
def test_the_graph_is_not_asked_again(place: Place, share: float) -> None:
    near = place.block.near(place.query, DEPTH, 0.9 * share)
    found = place.block.search(place.query, DEPTH, allowed=passing(share), near=near)
    assert (found.plan.kind, place.graph.asked) == ("graph", 1)
    np.testing.assert_allclose(found.cosines, truth(place.vectors, place.query, DEPTH, passing(share)), atol=1e-5)


def test_the_graph_is_asked_again_for_a_filter_that_is_much_narrower(place: Place) -> None:
    near = place.block.near(place.query, DEPTH, 0.95)
    found = place.block.search(place.query, DEPTH, allowed=passing(0.2), near=near)
    assert (found.plan.kind, place.graph.asked) == ("graph", 2)
    np.testing.assert_allclose(found.cosines, truth(place.vectors, place.query, DEPTH, passing(0.2)), atol=1e-5)


def test_nothing_is_looked_up_that_would_not_be_looked_at(place: Place) -> None:
    assert place.block.near(place.query, DEPTH, 0.01) is None
    assert place.block.near(np.zeros(DIMENSIONS, np.float32), DEPTH, 0.8) is None
    assert Block(place.vectors, costs=SHRUNK).near(place.query, DEPTH, 0.8) is None
    assert place.graph.asked == 0


def test_after_a_wide_filter_the_best_of_all_are_looked_up(place: Place) -> None:
    ahead = place.ahead("otter river", place.query, 0.8)
    assert (ahead.best, ahead.near) == (None, None)
    steps = ahead.steps()
    next(steps)
    assert ahead.best is not None
    assert len(ahead.best.keys) == FETCHED
    assert ahead.near is None
    next(steps)
    assert ahead.near is not None


def test_after_a_narrow_filter_words_are_read(place: Place) -> None:
    ahead = place.ahead("stone number7 number8", place.query, 0.01)
    for _ in ahead.steps():
        pass
    assert (ahead.best, ahead.near, place.graph.asked) == (None, None, 0)
    allowed = np.arange(COUNT) % 50 == 0
    added = place.keywords.added("stone number7", 5, {"one": (0, COUNT)}, allowed, instead_of=0)
    assert added is not None
    assert added[0].tolist() == [0, 150, 300, 450, 600]


@pytest.mark.parametrize(("words", "by_vector"), [("", True), ("otter", False), ("", False)])
def test_what_is_not_asked_for_is_not_looked_up(place: Place, words: str, by_vector: bool) -> None:
    ahead = place.ahead(words, place.query if by_vector else None, 0.8)
    for _ in ahead.steps():
        pass
    assert (ahead.best is not None, ahead.near is not None) == (bool(words), by_vector)
