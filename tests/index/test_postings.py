"""Filtered keyword search by adding up the words' postings gives what fetching the library's best hits gives."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from mcp_lakehouse.index import postings as postings_module
from mcp_lakehouse.index.keyword_hits import Spread
from mcp_lakehouse.index.keywords import Keywords

WORDS = [f"w{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10]}" for number in range(100)]
ROWS = 3_000
PARTS = ("one", "two", "three")
Hits = list[tuple[str, int, float]]


def texts(seed: int) -> list[str]:
    """Texts in which the first words are common and the last ones rare; every tenth is like the one before it."""
    random = np.random.default_rng(seed)
    places = np.minimum(99, random.geometric(0.06, (ROWS, 12)) - 1)
    places[9::10] = places[8::10]
    return [" ".join(WORDS[place] for place in row) for row in places]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keywords]:
    with Keywords(tmp_path_factory.mktemp("postings")) as opened:
        for seed, part in enumerate(("one", "two", "gone", "three")):
            opened.add(part, texts(seed))
        opened.commit()
        opened.remove("gone")
        opened.commit()
        yield opened


def both(index: Keywords, query: str, share: float, among: Spread | None) -> list[Hits]:
    random = np.random.default_rng(len(query))
    masks = {part: random.random(ROWS) < share for part in PARTS}

    def allowed(part: str, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return masks[part][numbers]

    starts = {part: (number * ROWS, ROWS) for number, part in enumerate(PARTS)}
    best = None
    while best is None:
        sums = index.sums(query, starts, len(PARTS) * ROWS, among)
        assert sums is not None
        best = sums.best(40, np.concatenate(list(masks.values())))
        sums.learn()
    added = [
        (PARTS[position // ROWS], position % ROWS, score) for position, score in zip(*map(list, best), strict=True)
    ]
    return [added, index.search(query, 40, allowed, among, share=share)]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 1.0])
@pytest.mark.parametrize(
    "query", ["wak", "wak wbk wjt", "wcl wcl wdm", "wak wbk wck wdk wek wfk wgk whk", "nowhere wat"]
)
@pytest.mark.parametrize("among", [None, Spread(50_000, {"wak": 40_000, "wbk": 3, "wcl": 700})])
def test_the_same_rows_in_the_same_order(index: Keywords, query: str, share: float, among: Spread | None) -> None:
    added, fetched = both(index, query, share, among)
    assert [hit[:2] for hit in added] == [hit[:2] for hit in fetched]
    np.testing.assert_allclose([hit[2] for hit in added], [hit[2] for hit in fetched], rtol=1e-5)
    assert added or share < 0.01


def test_too_much_is_read_a_word_at_a_time(index: Keywords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings_module, "_READ", 5_000)
    reader = index._current()
    assert reader is not None
    postings = postings_module.Postings(reader.searcher, index._one)
    words = ["wak", "wbk", "wck"]
    tries = 1
    while postings.of(words) is None:
        postings.learn(words)
        tries += 1
        assert tries < 5
    assert tries > 1
    postings.learn(words)
    assert set(postings._kept) == set(words)


def test_nothing_is_given_up_for_a_common_word(index: Keywords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings_module, "_READ", 5_000)
    monkeypatch.setattr(postings_module, "_BYTES", 50_000)
    reader = index._current()
    assert reader is not None
    postings = postings_module.Postings(reader.searcher, index._one)
    assert postings.of(WORDS[45:50]) is not None
    kept = set(postings._kept)
    for _ in range(3):
        assert postings.of(["wak", "wbk"]) is None
        postings.learn(["wak", "wbk"])
    assert set(postings._kept) == kept


def test_no_more_is_kept_than_may_be(index: Keywords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings_module, "_BYTES", 20_000)
    reader = index._current()
    assert reader is not None
    postings = postings_module.Postings(reader.searcher, index._one)
    for word in WORDS[20:50]:
        found = postings.of([word])
        assert found is not None
        assert (np.diff(found[0].keys) > 0).all()
        # "gone" is not in it.
        assert len(found[0].keys) == sum(word in text.split() for seed in (0, 1, 3) for text in texts(seed))
    assert postings._bytes == sum(each.keys.nbytes + each.scores.nbytes for each in postings._kept.values()) <= 20_000


def test_threads_may_share_it(index: Keywords) -> None:
    reader = index._current()
    assert reader is not None
    postings = postings_module.Postings(reader.searcher, index._one)
    lengths: set[tuple[int, ...]] = set()

    def ask() -> None:
        for start in range(40, 80, 4):
            found = postings.of(WORDS[start : start + 4])
            lengths.add((start, *(len(each.keys) for each in found or ())))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 10
    assert postings._bytes == sum(each.keys.nbytes + each.scores.nbytes for each in postings._kept.values())


def test_what_is_added_up_can_be_begun_and_is_not_where_too_much_is_to_read(
    index: Keywords, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = {"two": (0, ROWS)}
    everything = np.ones(ROWS, np.bool_)
    begun = index.sums("wak wbk", starts, ROWS)
    whole = index.sums("wak wbk", starts, ROWS)
    assert begun is not None
    assert whole is not None
    next(begun.steps())
    some, best = begun.best(9, everything), whole.best(9, everything)
    assert some is not None
    assert best is not None
    assert some[0].tolist() == best[0].tolist()
    assert len(some[0]) == 9
    assert index.sums("nowhere", starts, ROWS) is None
    monkeypatch.setattr(postings_module, "_READ", 0)
    reader = index._current()
    assert reader is not None
    reader.postings._kept.clear()
    unread = index.sums("wak wbk", starts, ROWS)
    assert unread is not None
    assert unread.best(9, everything) is None
