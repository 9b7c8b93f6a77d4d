"""Search under filters finds what there is, whatever was looked up before the filter was known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lake.searching import Counting, fill
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.index import view
from mcp_lakehouse.index.ahead import Ahead
from mcp_lakehouse.index.beside import Beside


def test_vector_search_under_filters_is_exact(lake: Lakehouse) -> None:
    words = "river stone bread cloud engine violin market winter teacher harbour lantern meadow".split()
    random = np.random.default_rng(7)
    texts = {f"k{n}": " ".join(random.choice(words, 6)) + f" number {n}" for n in range(1_500)}
    fill(lake, "many_texts", texts)
    embedder = Counting()
    vectors = embedder.embed(list(texts.values()))
    query = embedder.embed(["a lantern by the river"])[0]
    cosines = vectors @ query
    for share in (1, 2, 10, 100, 750):
        allowed = np.arange(0, 1_500, share)
        truth = sorted(cosines[allowed], reverse=True)[:10]
        found = lake.search(
            "a lantern by the river", datasets="many_texts", where=f"number % {share} = 0", mode="vector", k=10
        )
        assert [hit.score for hit in found.results] == pytest.approx([max(0, each) for each in truth], abs=1e-3)


@pytest.mark.parametrize("passages", [1, 10**9], ids=["words in another thread", "words after vectors"])
def test_a_filter_gives_the_same_hits_however_much_was_looked_up_before_it_was_known(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, passages: int
) -> None:
    begun: set[bool] = set()

    class Recorded(Beside[Any]):
        def __init__(self, work: Callable[[], Any], *, begin: bool = True) -> None:
            begun.add(begin)
            super().__init__(work, begin=begin)

    monkeypatch.setattr(view, "Beside", Recorded)
    monkeypatch.setattr(view, "_WORTH_A_THREAD", passages)
    dataset = f"looked_up_{passages}"
    words = "river stone bread cloud engine violin market winter teacher harbour lantern meadow".split()
    random = np.random.default_rng(8)
    fill(lake, dataset, {f"k{n}": " ".join(random.choice(words, 6)) + f" number {n}" for n in range(1_500)})
    found: dict[int, list[list[tuple[str, float]]]] = {}
    # Each filter comes after another one, and what is looked up is what the last one would have needed.
    for share in (1, 2, 300, 1, 100, 2, 10, 300, 10, 100):
        where = f"number % {share} = 0 -- {len(found.get(share, ()))}"
        for _ in range(2):
            # The second time the filter is known.
            hits = lake.search("a lantern by the river", datasets=dataset, where=where, k=10).results
            found.setdefault(share, []).append([(hit.id, hit.score) for hit in hits])
    for share, answers in found.items():
        assert len(answers) == 4
        assert len(answers[0]) == min(10, 1_500 // share)
        assert all(answer == answers[0] for answer in answers)
    assert begun == {passages == 1}


def test_while_a_filter_is_asked_what_the_last_one_would_have_needed_is_looked_up(
    lake: Lakehouse, animals: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares: list[float] = []
    steps = Ahead.steps

    def recorded(self: Ahead) -> Iterator[None]:
        shares.append(self._share / 0.9)
        return steps(self)

    monkeypatch.setattr(Ahead, "steps", recorded)
    for where in ("number < 3 -- six", "number < 1 -- six", "number < 3 -- six", "number >= 0 -- six"):
        lake.search("otter", datasets=animals, where=where)
    # The third one is known, so that nobody waits for it.
    assert shares[1:] == pytest.approx([3 / 6, 1 / 6])


@pytest.mark.parametrize("mode", ["keyword", "hybrid"])
def test_of_equal_passages_those_are_found_that_come_first(lake: Lakehouse, mode: str) -> None:
    dataset = f"equal_{mode}"
    for load in range(4):
        # More than are looked up at once, in several segments of the keyword index.
        fill(lake, dataset, {f"k{load * 700 + n}": f"lantern {load * 700 + n:04}" for n in range(700)})
    for share in (2, 10, 100):
        answers = []
        for _ in range(3):
            found = lake.search(
                "lantern by the sea", datasets=dataset, where=f"key[2:]::INT % {share} = 0", mode=mode, k=5
            )
            answers.append([(hit.columns["key"], hit.score) for hit in found.results])
        assert answers[0] == answers[1] == answers[2]
        if mode == "keyword":
            assert [key for key, _ in answers[0]] == [f"k{share * n}" for n in range(5)]
