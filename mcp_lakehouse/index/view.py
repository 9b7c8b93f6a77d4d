"""What a search reads: the passages of exactly one version, as one numbered set.

Passages of the generation's base come first, then those of newer data files (the tail), which are compared one
by one. Of base files that the version has no more, the passages stay but are not alive.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcp_lakehouse.catalog.catalog import Dataset
from mcp_lakehouse.index.ahead import FETCHED, Ahead
from mcp_lakehouse.index.beside import Beside
from mcp_lakehouse.index.block import Block
from mcp_lakehouse.index.keyword_hits import Allowed, Spread, first_fetch
from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.index.passages import HASH_BYTES, Passages
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.sql.numbers import Rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


# Naming a passage to the keyword index takes as long as fetching so many of its hits (measured).
_NAMED_HITS = 14
# To fetch a hit takes at least as long as reading so many passages that hold a word (measured).
_HIT_READS = 2
# Words are looked up among fewer passages before another thread has begun to (measured).
_WORTH_A_THREAD = 300_000


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The passages of one data file. `ordinal`: its place among the version's files, -1 where it has it no more."""

    key: str
    ordinal: int
    passages: Passages
    start: int
    first_row: int

    @property
    def name(self) -> str:
        """What the keyword index calls it."""
        return leaf(self.key)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a passage lies: `row` counts over the whole version, `row_in_part` within the data file."""

    part: Part
    row: int
    row_in_part: int
    chunk: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Passages that may answer a query: positions int64, true cosines and BM25 scores float32, all (n,)."""

    positions: NDArray[np.int64]
    cosines: NDArray[np.float32]
    bm25: NDArray[np.float32]
    # Cosine of the query with the mean of all vectors, and their number.
    mean_cosine: float
    total: int
    # Whether there may be more: a list was as long as it was to be.
    cut: bool
    plan: str


@dataclass(slots=True, eq=False)
class View:
    """One version's passages. Never changed once made, so a search keeps what it began with."""

    dataset: Dataset
    recipe: Recipe
    generation: int
    parts: Sequence[Part]
    base: Block | None
    tail: Block | None
    base_count: int
    keywords: Keywords
    mean: NDArray[np.float32]
    live: NDArray[np.bool_] | None
    _by_ordinal: Mapping[int, Part] = field(init=False)
    _by_name: Mapping[str, Part] = field(init=False)
    _starts: list[int] = field(init=False)
    _rows_with_text: dict[int, NDArray[np.bool_] | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_ordinal = {part.ordinal: part for part in self.parts if part.ordinal >= 0}
        self._by_name = {part.name: part for part in self.parts if part.ordinal >= 0}
        self._starts = [part.start for part in self.parts]

    @property
    def total(self) -> int:
        """Passages, dead ones too."""
        return self.parts[-1].start + len(self.parts[-1].passages) if self.parts else 0

    def whole(self) -> bool:
        """Whether the keyword index holds all of it: its files may be taken away, and are made again."""
        return self._by_name.keys() <= self.keywords.parts().keys()

    def rows_with_text(self) -> int:
        """Rows of the version that have a passage."""
        return sum(int((part.passages.chunks == 0).sum()) for part in self.parts if part.ordinal >= 0)

    def place(self, position: int) -> Place:
        """Where a passage lies."""
        part = self.parts[bisect.bisect_right(self._starts, position) - 1]
        # Parts without passages share their start with the next one.
        number = position - part.start
        passages = part.passages
        row = int(passages.rows[number])
        return Place(
            part,
            part.first_row + row,
            row,
            int(passages.chunks[number]),
            int(passages.starts[number]),
            int(passages.ends[number]),
        )

    def place_of(self, digest: bytes) -> Place | None:
        """Where a passage lies whose text has a hash that begins like this; the first, if there are several."""
        import numpy as np

        wanted = np.frombuffer(digest[:HASH_BYTES], np.uint8)
        for part in self.parts:
            if part.ordinal >= 0:
                found = np.flatnonzero((part.passages.hashes[:, : len(wanted)] == wanted).all(axis=1))
                if len(found):
                    return self.place(part.start + int(found[0]))
        return None

    def positions_of(self, rows: Rows) -> NDArray[np.bool_]:
        """The passages of rows of the version: bool (total,)."""
        import numpy as np

        allowed = np.zeros(self.total, np.bool_)
        for ordinal, part in self._by_ordinal.items():
            chosen = rows.of_file(ordinal, part.passages.file_rows)
            with_text = self._with_text(part)
            # To leave rows out takes a third of the time of looking up the row of each passage.
            of_passages = chosen.take(part.passages.rows) if with_text is None else chosen[with_text]
            allowed[part.start : part.start + len(part.passages)] = of_passages
        return allowed

    def _with_text(self, part: Part) -> NDArray[np.bool_] | None:
        """Which rows of the part's file are a passage; `None` where one of them is several."""
        import numpy as np

        if part.ordinal not in self._rows_with_text:
            rows = part.passages.rows
            found = np.zeros(part.passages.file_rows, np.bool_)
            found[rows] = True
            self._rows_with_text[part.ordinal] = found if np.count_nonzero(found) == len(rows) else None
        return self._rows_with_text[part.ordinal]

    def ahead(self, query: str, vector: NDArray[np.float32] | None, depth: int, share: float) -> Ahead:
        """What can be done for `candidates` before it is known which passages are allowed: probably such a share."""
        return Ahead(self.keywords, self.base, query.strip(), vector, depth, share)

    def candidates(
        self,
        query: str,
        vector: NDArray[np.float32] | None,
        *,
        depth: int,
        allowed: NDArray[np.bool_] | None,
        among: Spread | None,
        ahead: Ahead | None = None,
    ) -> Candidates:
        """The best `depth` passages by vector and by keywords. A `vector` of `None` leaves vectors out.

        A blank `query` leaves keywords out. `among`: how common its words are in all views searched together.
        `ahead`: that of this query, if it was begun.
        """
        import numpy as np

        query = query.strip()
        apart = bool(query) and vector is not None and self.total >= _WORTH_A_THREAD
        with Beside(lambda: self._by_words(query, depth, allowed, among, ahead), begin=apart) as words:
            found, plans = self._by_vector(vector, depth, allowed, ahead) if vector is not None else ([], [])
            by_words, word_scores = words.result()
        if query and vector is None:
            plans.append("keywords only")
        positions = np.unique(np.concatenate([*found, by_words]))
        bm25 = np.zeros(len(positions), np.float32)
        bm25[np.searchsorted(positions, by_words)] = word_scores
        cosines = np.zeros(len(positions), np.float32) if vector is None else self.cosines(vector, positions)
        mean = float(self.mean @ vector) if vector is not None else 0.0
        cut = any(len(each) >= depth for each in (*found, by_words))
        return Candidates(positions, cosines, bm25, mean, self.total, cut, "; ".join(plans) or "nothing to compare")

    def _by_vector(
        self, vector: NDArray[np.float32], depth: int, allowed: NDArray[np.bool_] | None, ahead: Ahead | None
    ) -> tuple[list[NDArray[np.int64]], list[str]]:
        """Positions of the nearest `depth` of the allowed passages of base and tail, and what was done for them."""
        found: list[NDArray[np.int64]] = []
        plans: list[str] = []
        base_allowed = None if allowed is None else allowed[: self.base_count]
        if self.live is not None:
            base_allowed = self.live if base_allowed is None else base_allowed & self.live
        tail_allowed = None if allowed is None else allowed[self.base_count :]
        for block, start, mask, near in (
            (self.base, 0, base_allowed, ahead.near if ahead is not None else None),
            (self.tail, self.base_count, tail_allowed, None),
        ):
            if block is not None:
                hits = block.search(vector, depth, allowed=mask, near=near)
                found.append(hits.positions + start)
                if hits.plan.kind == "nothing" and self.base is not None and self.tail is not None:
                    # Nothing of what was replaced, or nothing new: the other one has something to tell.
                    continue
                newer = f" newer than generation {self.generation}" if start else ""
                plans.append(hits.plan.text + newer)
        return found, plans

    def _by_words(
        self, query: str, depth: int, allowed: NDArray[np.bool_] | None, among: Spread | None, ahead: Ahead | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and BM25 of the best `depth` of the allowed passages; without words there are none."""
        import numpy as np

        if not query:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        may = None if allowed is None and self._complete() else self._mask(allowed)
        if allowed is None:
            return self._positions(self.keywords.search(query, depth, may, among))
        count = int(np.count_nonzero(allowed))
        share = max(1, count) / max(1, self.total)
        best = ahead.best if ahead is not None else None
        if best is None and first_fetch(depth, share) <= FETCHED:
            best = self.keywords.best(query, first_fetch(depth, share), among)
        if best is not None:
            kept = best.which(may)
            if best.settles(kept, depth):
                return self._positions(best.first(kept, depth))
            # Of what the words are near to, fewer may be allowed than of the rest, though more further down.
            share = max(min(share, len(kept) / max(1, len(best.keys))), share / 8)
        fetches, named = min(first_fetch(depth, share), self.total), count * _NAMED_HITS
        reads = _HIT_READS * min(fetches, named)
        added = self.keywords.added(query, depth, self._spans(), allowed, among, instead_of=reads)
        if added is not None:
            return added
        only = None
        if named <= fetches:
            only = {
                name: np.flatnonzero(allowed[part.start : part.start + len(part.passages)])
                for name, part in self._by_name.items()
            }
        return self._positions(self.keywords.search(query, depth, may, among, share=share, only=only, unread=True))

    def _positions(self, hits: Sequence[tuple[str, int, float]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Where the hits lie, and their scores."""
        import numpy as np

        parts = self._by_name
        known = [
            (parts[name].start + n, score) for name, n, score in hits if name in parts and n < len(parts[name].passages)
        ]
        positions = np.fromiter((position for position, _ in known), np.int64, len(known))
        return positions, np.fromiter((score for _, score in known), np.float32, len(known))

    def _spans(self) -> dict[str, tuple[int, int]]:
        return {name: (part.start, len(part.passages)) for name, part in self._by_name.items()}

    def cosines(self, vector: NDArray[np.float32], positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """True cosines of passages with a vector, float32."""
        import numpy as np

        cosines = np.zeros(len(positions), np.float32)
        in_base = positions < self.base_count
        if self.base is not None and in_base.any():
            cosines[in_base] = self.base.cosines(vector, positions[in_base])
        if self.tail is not None and not in_base.all():
            cosines[~in_base] = self.tail.cosines(vector, positions[~in_base] - self.base_count)
        return cosines

    def _complete(self) -> bool:
        """Whether the keyword index holds this view's parts and no others."""
        return self.keywords.parts().keys() == self._by_name.keys()

    def _mask(self, allowed: NDArray[np.bool_] | None) -> Allowed:
        """Of passages of a part, by their numbers, those that are alive and allowed."""
        import numpy as np

        def mask(name: str, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
            part = self._by_name.get(name)
            if part is None:
                return np.zeros(len(numbers), np.bool_)
            known: NDArray[np.bool_] = numbers < len(part.passages)
            if allowed is not None:
                known &= allowed[part.start + np.minimum(numbers, len(part.passages) - 1)]
            return known

        return mask
