"""Vectors that are held already, found by the hash of their text without a table of all of them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from mcp_lakehouse.index.passages import HASH_BYTES, Passages
from mcp_lakehouse.index.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WORD_BYTES = 8


class HeldVectors(Mapping[bytes, "NDArray[np.float32]"]):
    """For few texts among many passages: a sorted array of parts of the hashes, made when the first is looked up."""

    def __init__(self, passages: Iterable[Passages]) -> None:
        self._passages = [each for each in passages if len(each)]
        self._starts = list(accumulate((len(each) for each in self._passages), initial=0))

    def __getitem__(self, wanted: bytes) -> NDArray[np.float32]:
        import numpy as np

        words, order = self._sorted
        word = np.frombuffer(wanted[:_WORD_BYTES], np.uint64)[0]
        place = int(np.searchsorted(words, word))
        while place < len(words) and words[place] == word:
            part = bisect.bisect_right(self._starts, order[place]) - 1
            passages, number = self._passages[part], int(order[place]) - self._starts[part]
            if passages.hashes[number].tobytes() == wanted:
                found: NDArray[np.float32] = passages.vectors[number]
                return found
            place += 1
        raise KeyError(wanted)

    def __iter__(self) -> Iterator[bytes]:
        for passages in self._passages:
            hashes = passages.hashes.tobytes()
            yield from (hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES))

    def __len__(self) -> int:
        return self._starts[-1]

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        import numpy as np

        words = [
            np.ascontiguousarray(each.hashes[:, :_WORD_BYTES]).view(np.uint64).reshape(-1) for each in self._passages
        ]
        joined = np.concatenate(words) if words else np.zeros(0, np.uint64)
        order = np.argsort(joined)
        return joined[order], order


def held_vectors(passages: Mapping[tuple[str, str], Passages], recipe: Recipe) -> HeldVectors:
    """The vectors of all passages of a recipe; the keys are its identifier and a data file's key."""
    return HeldVectors(each for (identifier, _), each in passages.items() if identifier == recipe.identifier)
