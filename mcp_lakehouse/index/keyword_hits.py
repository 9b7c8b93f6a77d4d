"""What one state of a keyword index holds, and the best of it under a filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
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
# Changes with what is kept of a passage.
SCHEMA = "2"
# Of more passages than these with equal scores, those count that the library gives first.
_EQUALS = 20_000


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


def schema() -> tantivy.Schema:
    """The fields: of a passage its words, its part's ordinal and its key; of a part its ordinal, name and count."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_text_field("body", tokenizer_name="words", index_option="freq")
    builder.add_unsigned_field("part", indexed=True, stored=True)
    builder.add_unsigned_field("key", fast=True, indexed=True)
    builder.add_text_field("name", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_unsigned_field("count", stored=True, fast=True)
    return builder.build()


def read_parts(searcher: tantivy.Searcher) -> dict[str, Part]:
    """The parts of a state, by name."""
    import tantivy

    parts = {}
    for _, address in searcher.search(tantivy.Query.exists_query("count"), max(1, searcher.num_docs), count=False).hits:
        document = searcher.doc(address)
        parts[str(document["name"][0])] = Part(int(document["part"][0]), int(document["count"][0]))
    return parts


@dataclass(frozen=True, slots=True)
class Best:
    """The best passages of a state for a query, best first: `keys` int64 and `scores` float32, both (n,).

    Of equal scores the library gives those first that lie first in its files, which is not the order of the dataset.
    `whole`: there are no more.
    """

    reader: Reader
    query: tantivy.Query
    keys: NDArray[np.int64]
    scores: NDArray[np.float32]
    whole: bool

    def which(self, allowed: Allowed | None) -> NDArray[np.intp]:
        """Those that may be found, by their numbers among these."""
        if allowed is None:
            return np.arange(len(self.keys))
        ordinals, numbers = self.keys >> NUMBER_BITS, self.keys & _NUMBERS
        return np.flatnonzero(_mask(self.reader, ordinals, numbers, allowed))

    def settles(self, kept: NDArray[np.intp], limit: int) -> bool:
        """Whether the best `limit` of all are among `kept`: no other passage is as good as the last of them."""
        return self.whole or (len(kept) >= limit and bool(self.scores[kept[limit - 1]] > self.scores[-1]))

    def first(self, kept: NDArray[np.intp], limit: int) -> list[tuple[str, int, float]]:
        """The best `limit` of `kept`; of equal ones the first in the dataset, where all of them are here."""
        end = limit
        if self.settles(kept, limit):
            while 0 < end < len(kept) and self.scores[kept[end]] == self.scores[kept[end - 1]]:
                end += 1
        keys, scores = self.keys[kept[:end]], self.scores[kept[:end]]
        order = np.lexsort((keys, -scores))[:limit]
        ordinals, numbers = (keys[order] >> NUMBER_BITS).tolist(), (keys[order] & _NUMBERS).tolist()
        return [
            (self.reader.names[ordinal], number, score)
            for ordinal, number, score in zip(ordinals, numbers, scores[order].tolist(), strict=True)
        ]


def fetch(reader: Reader, query: tantivy.Query, many: int) -> Best:
    """The best `many` of all passages."""
    many = min(many, reader.searcher.num_docs)
    hits = reader.searcher.search(query, many, count=False).hits
    keys = np.array(reader.searcher.fast_field_values("key", [address for _, address in hits]), np.int64)
    scores = np.fromiter((score for score, _ in hits), np.float32, len(hits))
    return Best(reader, query, keys, scores, len(hits) < many or many == reader.searcher.num_docs)


def found(best: Best, limit: int, allowed: Allowed | None) -> list[tuple[str, int, float]]:
    """The best `limit` that are allowed, fetching more and more until there are enough, or no more."""
    while True:
        kept = best.which(allowed)
        if best.settles(kept, limit) or (len(kept) >= limit and (allowed is None or len(best.keys) >= _EQUALS)):
            break
        # Further down more of them may be allowed than so far.
        times = min(max(4.0, 1.3 * limit / max(1, len(kept))), 8.0)
        best = fetch(best.reader, best.query, int(times * len(best.keys)))
    return best.first(kept, limit)


def added(
    reader: Reader,
    weights: Mapping[str, float],
    starts: Mapping[str, tuple[int, int]],
    allowed: NDArray[np.bool_],
    limit: int,
    instead_of: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Positions and scores of the best `limit` that are `allowed`, their words' scores added up; best first.

    `starts` says for each part where its passages begin, and how many there are. `None` where more
    than `instead_of` passages of words would have to be read for it.
    """
    postings = reader.postings.of(list(weights), instead_of)
    if postings is None:
        return None
    places = [(reader.parts[name].ordinal, *place) for name, place in starts.items() if name in reader.parts]
    positions, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for posting, weight in zip(postings, weights.values(), strict=True):
        for ordinal, start, count in places:
            first = ordinal << NUMBER_BITS
            low, high = np.searchsorted(posting.keys, (first, first + count))
            here = posting.keys[low:high] + (start - first)
            may = allowed[here]
            positions.append(here[may])
            scores.append(posting.scores[low:high][may] * np.float32(weight))
    having, which = np.unique(np.concatenate(positions), return_inverse=True)
    sums = np.bincount(which, np.concatenate(scores), minlength=len(having)).astype(np.float32)
    best = top(sums, limit)
    return having[best], sums[best]


def first_fetch(limit: int, share: float) -> int:
    """How many are fetched at first, so that `limit` of them are probably among the share that is allowed."""
    return 4 * limit + int(1.3 * limit / share)


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
