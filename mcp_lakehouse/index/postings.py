"""Which passages hold a word, and its BM25 score in each: kept in memory for the words that filtered searches ask for.

The library has no way to look at the best of some passages only. Fetching its best hits until enough of them are
allowed takes longer the fewer are; adding up the scores of each word over the allowed ones takes the time of reading
their numbers, and gives the same sums, for BM25 is one term for each word (Robertson and Zaragoza, 2009).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.limits import MIB

if TYPE_CHECKING:
    import tantivy

# Of one state of one index: so much, and of a large one more, but never all that a machine has.
_BYTES = 96 * MIB
_BYTES_FOR_A_PASSAGE = 192
_MOST_BYTES = 512 * MIB
_BYTES_OF_A_PASSAGE = 12
# To read one passage of a word (measured).
_READ_SECONDS = 0.6e-6
# The most common word that is saved up for: to read it takes a fifth of a second.
_WORD = 300_000
# The most common one that is read in passing: a millisecond or two.
_STEP = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Posting:
    """The passages that hold a word: `keys` as in the index, ascending int64, and `scores` float32, both (n,)."""

    keys: NDArray[np.int64]
    scores: NDArray[np.float32]


class Postings:
    """The postings of one state. Threads may share it."""

    def __init__(self, searcher: tantivy.Searcher, query: Callable[[str], tantivy.Query]) -> None:
        """`query` makes the query for one word."""
        self._searcher = searcher
        self._query = query
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Posting] = OrderedDict()
        self._bytes = 0
        self._most_bytes = min(max(_BYTES, _BYTES_FOR_A_PASSAGE * searcher.num_docs), _MOST_BYTES)
        # So many passages of words could have been read in the time that went by for want of them.
        self._spent = 0

    def of(self, words: Sequence[str], instead_of: int) -> list[Posting] | None:
        """The postings of words, in their order; `None` where more than `instead_of` passages would have to be read."""
        with self._lock:
            kept = {word: self._kept[word] for word in words if word in self._kept}
            for word in kept:
                self._kept.move_to_end(word)
        counts = self._counts(words, kept)
        if sum(counts.values()) > instead_of:
            return None
        for word, count in counts.items():
            kept[word] = self._read(word, count)
        return [kept[word] for word in words]

    def reading(self, words: Sequence[str]) -> Iterator[None]:
        """Read words that are not kept, one for each step, the rarest first: for whoever has to wait anyway."""
        with self._lock:
            counts = self._counts(words, self._kept)
        for word, count in sorted(counts.items(), key=lambda each: (each[1], each[0])):
            if count > _STEP or self._bytes + count * _BYTES_OF_A_PASSAGE > self._most_bytes:
                return
            self._read(word, count)
            yield

    def paid(self, words: Sequence[str], seconds: float) -> None:
        """Tells that a search took so long for want of these words.

        Searching so again and again pays in the end for reading them (as one buys skis once their rent came to as
        much), so that reading takes about as much time as that did at most. The most common one comes first, and only
        where there is room for each: a search needs all of its words.
        """
        with self._lock:
            counts = self._counts(words, self._kept)
            if not counts or self._bytes + sum(counts.values()) * _BYTES_OF_A_PASSAGE > self._most_bytes:
                return
            self._spent = min(self._spent + int(seconds / _READ_SECONDS), _WORD)
            bought = list[str]()
            for word in sorted(counts, key=lambda each: (-counts[each], each)):
                if counts[word] > self._spent:
                    break
                self._spent -= counts[word]
                bought.append(word)
        for word in bought:
            self._read(word, counts[word])

    def _counts(self, words: Sequence[str], kept: Container[str]) -> dict[str, int]:
        return {word: self._searcher.doc_freq("body", word) for word in words if word not in kept}

    def _read(self, word: str, count: int) -> Posting:
        hits = self._searcher.search(self._query(word), max(1, count), count=False).hits
        keys = np.array(self._searcher.fast_field_values("key", [address for _, address in hits]), np.int64)
        scores = np.fromiter((score for score, _ in hits), np.float32, len(hits))
        order = np.argsort(keys)
        posting = Posting(keys[order], scores[order])
        with self._lock:
            if word not in self._kept:
                self._kept[word] = posting
                self._bytes += posting.keys.nbytes + posting.scores.nbytes
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.keys.nbytes + oldest.scores.nbytes
        return posting
