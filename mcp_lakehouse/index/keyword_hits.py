"""What one state of a keyword index holds, and the best of it under a filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.index.postings import Postings
from mcp_lakehouse.index.states import State
from mcp_lakehouse.index.vectors import top

if TYPE_CHECKING:
    import tantivy

Allowed = Callable[[str, NDArray[np.int64]], NDArray[np.bool_]]
"""For a part and numbers of passages in it: which of them may be found."""
NUMBER_BITS = 32
_NUMBERS = (1 << NUMBER_BITS) - 1


@dataclass(frozen=True, slots=True)
class Spread:
    """In how many of `documents` each word occurs."""

    documents: int
    of: Mapping[str, int]

    def __add__(self, other: Spread) -> Spread:
        return Spread(
            self.documents + other.documents,
            {word: self.of.get(word, 0) + other.of.get(word, 0) for word in {*self.of, *other.of}},
        )

    def rarity(self, word: str) -> float:
        """The inverse document frequency of BM25, as the library computes it (Robertson and Sparck Jones)."""
        count = self.of.get(word, 0)
        return math.log(1 + (self.documents - count + 0.5) / (count + 0.5))


@dataclass(frozen=True, slots=True)
class Part:
    """One part's ordinal, and how many passages it has."""

    ordinal: int
    count: int


@dataclass(frozen=True, slots=True)
class Reader:
    """One published state, open."""

    state: State
    searcher: tantivy.Searcher
    parts: Mapping[str, Part]
    names: Mapping[int, str]
    postings: Postings


def read_parts(searcher: tantivy.Searcher) -> dict[str, Part]:
    """The parts of a state, by name."""
    import tantivy

    parts = {}
    for _, address in searcher.search(tantivy.Query.exists_query("count"), max(1, searcher.num_docs), count=False).hits:
        document = searcher.doc(address)
        parts[str(document["name"][0])] = Part(int(document["part"][0]), int(document["count"][0]))
    return parts


def found(
    reader: Reader, query: tantivy.Query, limit: int, allowed: Allowed | None, share: float
) -> list[tuple[str, int, float]]:
    """Fetches more and more of the best until enough of them are allowed, or there are no more."""
    total = reader.searcher.num_docs
    want = limit if allowed is None else fetched(limit, share, total)
    while True:
        want = min(want, total)
        hits = reader.searcher.search(query, want, count=False).hits
        places = np.array(reader.searcher.fast_field_values("key", [address for _, address in hits]), np.int64)
        ordinals, numbers = places >> NUMBER_BITS, places & _NUMBERS
        kept = np.arange(len(hits)) if allowed is None else np.flatnonzero(_mask(reader, ordinals, numbers, allowed))
        if len(kept) >= limit or len(hits) < want or want == total:
            break
        want = max(4 * want, int(1.3 * limit * len(hits) / max(1, len(kept))))
    # They come best first; of equal ones the first in the dataset.
    kept = kept[: _with_equals(hits, kept, limit)]
    scores = np.array([hits[each][0] for each in kept.tolist()], np.float32)
    order = np.lexsort((places[kept], -scores))[:limit]
    return _listed(reader, places[kept[order]], scores[order])


class Sums:
    """BM25 of all passages for the words of a query, added up word by word, whichever may be found in the end.

    `starts` says for each part where its passages begin, and how many there are; `total` counts those of all parts.
    `failing` turns the library's errors into ours. For one thread.
    """

    def __init__(
        self,
        reader: Reader,
        weights: Mapping[str, float],
        starts: Mapping[str, tuple[int, int]],
        total: int,
        failing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._reader = reader
        self._failing = failing
        self._weights = weights
        self._places = [(reader.parts[name].ordinal, *place) for name, place in starts.items() if name in reader.parts]
        self._total = total
        # Of the passages with one of the words: their positions, and their scores.
        self._scored: tuple[NDArray[np.int64], NDArray[np.float32]] | None = None
        self._left: Iterator[None] | None = None

    def steps(self) -> Iterator[None]:
        """Goes on, a word for each step; ends at once where there is too much to read for that."""
        if self._left is None:
            self._left = self._adding()
        return self._left

    def best(self, limit: int, allowed: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Positions and scores of the best `limit` that are `allowed`, best first; `None` where too much is to read."""
        for _ in self.steps():
            pass
        if self._scored is None:
            return None
        positions, scores = self._scored
        kept = allowed[positions]
        positions, scores = positions[kept], scores[kept]
        best = top(scores, limit)
        return positions[best], scores[best]

    def learn(self) -> None:
        """Have less to read for the next query like this one."""
        with self._failing():
            self._reader.postings.learn(list(self._weights))

    def _adding(self) -> Iterator[None]:
        with self._failing():
            postings = self._reader.postings.of(list(self._weights))
        if postings is None:
            return
        sums = np.zeros(self._total, np.float64)
        for posting, weight in zip(postings, self._weights.values(), strict=True):
            for ordinal, start, count in self._places:
                first = ordinal << NUMBER_BITS
                low, high = np.searchsorted(posting.keys, (first, first + count))
                # No passage is there twice for one word.
                sums[posting.keys[low:high] + (start - first)] += posting.scores[low:high] * np.float32(weight)
            yield
        # The comparison first: of flags numpy finds the places several times as fast as of numbers.
        positions = np.flatnonzero(sums != 0)
        self._scored = positions, sums[positions].astype(np.float32)


def _listed(reader: Reader, places: NDArray[np.int64], scores: NDArray[np.float32]) -> list[tuple[str, int, float]]:
    ordinals, numbers = (places >> NUMBER_BITS).tolist(), (places & _NUMBERS).tolist()
    return [(reader.names[o], n, s) for o, n, s in zip(ordinals, numbers, scores.tolist(), strict=True)]


def fetched(limit: int, share: float, total: int) -> int:
    """How many are fetched at first, so that `limit` of them are probably among the share that is allowed."""
    return 4 * limit + int(1.3 * limit / max(share, 1 / max(1, total)))


def _with_equals(hits: Sequence[tuple[float, object]], kept: NDArray[np.int64], limit: int) -> int:
    end = min(limit, len(kept))
    while 0 < end < len(kept) and hits[kept[end]][0] == hits[kept[end - 1]][0]:
        end += 1
    return end


def _mask(
    reader: Reader, ordinals: NDArray[np.int64], numbers: NDArray[np.int64], allowed: Allowed
) -> NDArray[np.bool_]:
    if len(reader.names) == 1:
        return allowed(next(iter(reader.names.values())), numbers)
    mask = np.zeros(len(ordinals), bool)
    for ordinal in np.unique(ordinals).tolist():
        here = ordinals == ordinal
        mask[here] = allowed(reader.names[ordinal], numbers[here])
    return mask
