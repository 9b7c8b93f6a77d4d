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
from mcp_lakehouse.index.postings import Postings

WORDS = [f"w{'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10]}" for number in range(100)]
ROWS = 3_000
PARTS = ("one", "two", "three")
STARTS = {part: (number * ROWS, ROWS) for number, part in enumerate(PARTS)}
# However long fetching would take, adding up is to be done.
EVERYTHING = 10**9
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


def ways(index: Keywords, query: str, share: float, among: Spread | None) -> dict[str, Hits | None]:
    """The best 40 of a share of the passages, by each way that there is."""
    random = np.random.default_rng(len(query))
    masks = {part: random.random(ROWS) < share for part in PARTS}

    def allowed(part: str, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        return masks[part][numbers]

    mask = np.concatenate(list(masks.values()))
    added = index.added(query, 40, STARTS, mask, among, instead_of=EVERYTHING)
    assert added is not None
    ahead = index.best(query, 2_000)
    assert ahead is not None
    kept = ahead.which(allowed)
    return {
        "fetched": index.search(query, 40, allowed, among, share=max(share, 1e-4)),
        "added": [
            (PARTS[at // ROWS], at % ROWS, score) for at, score in zip(*map(np.ndarray.tolist, added), strict=True)
        ],
        "ahead": ahead.first(kept, 40) if among is None and ahead.settles(kept, 40) else None,
    }


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 1.0])
@pytest.mark.parametrize(
    "query", ["wak", "wak wbk wjt", "wcl wcl wdm", "wak wbk wck wdk wek wfk wgk whk", "nowhere wat"]
)
@pytest.mark.parametrize("among", [None, Spread(50_000, {"wak": 40_000, "wbk": 3, "wcl": 700})])
def test_the_same_rows_in_the_same_order(index: Keywords, query: str, share: float, among: Spread | None) -> None:
    found = ways(index, query, share, among)
    fetched = found.pop("fetched")
    assert fetched is not None
    assert fetched or share < 0.01
    assert found["ahead"] or among is not None or share < 0.1
    for other in (each for each in found.values() if each is not None):
        assert [hit[:2] for hit in other] == [hit[:2] for hit in fetched]
        np.testing.assert_allclose([hit[2] for hit in other], [hit[2] for hit in fetched], rtol=1e-5)


@pytest.fixture
def postings(index: Keywords) -> Postings:
    reader = index._current()
    assert reader is not None
    return Postings(reader.searcher, index._one)


def test_what_is_too_much_to_read_at_once_is_read_when_doing_without_took_as_long(
    postings: Postings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postings_module, "_READ_SECONDS", 0.5)
    words = WORDS[:3]
    long = sum(postings._searcher.doc_freq("body", word) for word in words)
    without = 0
    while postings.of(words, 500) is None:
        postings.paid(words, 250)
        without += 500
        assert without < 2 * long
    assert without == pytest.approx(long, abs=1_000)


@pytest.mark.parametrize("only", [None, {"one": np.arange(200)}], ids=["fetched", "named"])
def test_searches_that_had_to_do_without_words_have_them_read(
    index: Keywords, monkeypatch: pytest.MonkeyPatch, only: dict[str, NDArray[np.int64]] | None
) -> None:
    monkeypatch.setattr(postings_module, "_READ_SECONDS", 1e-9)
    reader = index._current()
    assert reader is not None
    reader.postings._kept.clear()
    for _ in range(2):
        index.search("wak wbk", 9, lambda _, numbers: numbers < 200, share=0.01, only=only)
        assert not reader.postings._kept
    for _ in range(2):
        index.search("wak wbk", 9, lambda _, numbers: numbers < 200, share=0.01, only=only, unread=True)
    assert set(reader.postings._kept) == {"wak", "wbk"}


def test_nothing_is_given_up_for_a_common_word(postings: Postings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "_most_bytes", 50_000)
    assert postings.of(WORDS[45:50], EVERYTHING) is not None
    kept = set(postings._kept)
    for _ in range(100):
        postings.paid(WORDS[:2], 1)
    assert list(postings.reading(WORDS[:2])) == []
    assert set(postings._kept) == kept


def test_rare_words_are_read_in_passing(postings: Postings, monkeypatch: pytest.MonkeyPatch) -> None:
    rare, common = WORDS[40:44], WORDS[0]
    monkeypatch.setattr(postings_module, "_STEP", 1_000)
    steps = postings.reading([common, *rare])
    next(steps)
    assert len(postings._kept) == 1
    assert sum(1 for _ in steps) == len(rare) - 1
    assert set(postings._kept) == set(rare)
    assert postings.of(rare, 0) is not None
    assert postings.of([common, *rare], 0) is None


def test_no_more_is_kept_than_may_be(postings: Postings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "_most_bytes", 20_000)
    for word in WORDS[20:50]:
        found = postings.of([word], EVERYTHING)
        assert found is not None
        assert (np.diff(found[0].keys) > 0).all()
        # "gone" is not in it.
        assert len(found[0].keys) == sum(word in text.split() for seed in (0, 1, 3) for text in texts(seed))
    assert postings._bytes == sum(each.keys.nbytes + each.scores.nbytes for each in postings._kept.values()) <= 20_000


def test_threads_may_share_it(postings: Postings) -> None:
    lengths: set[tuple[int, ...]] = set()

    def ask() -> None:
        for start in range(40, 80, 4):
            found = postings.of(WORDS[start : start + 4], EVERYTHING)
            lengths.add((start, *(len(each.keys) for each in found or ())))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 10
    assert postings._bytes == sum(each.keys.nbytes + each.scores.nbytes for each in postings._kept.values())


def test_what_is_nowhere_is_found_by_no_way(index: Keywords) -> None:
    everything = np.ones(len(PARTS) * ROWS, np.bool_)
    assert index.best("nowhere", 10) is None
    assert list(index.reading("nowhere")) == []
    added = index.added("nowhere", 9, STARTS, everything, instead_of=0)
    assert added is not None
    assert [each.tolist() for each in added] == [[], []]


def test_adding_up_is_left_where_fetching_is_cheaper(index: Keywords) -> None:
    reader = index._current()
    assert reader is not None
    reader.postings._kept.clear()
    everything = np.ones(len(PARTS) * ROWS, np.bool_)
    words = " ".join(WORDS[30:33])
    assert index.added(words, 9, STARTS, everything, instead_of=10) is None
    assert len(list(index.reading(words))) == 3
    assert index.added(words, 9, STARTS, everything, instead_of=10) is not None
