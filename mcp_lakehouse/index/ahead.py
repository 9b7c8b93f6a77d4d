"""What a search does while the engine is asked which rows pass its filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcp_lakehouse.index.block import Block
from mcp_lakehouse.index.keyword_hits import Best, first_fetch
from mcp_lakehouse.index.keywords import Keywords

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# So many of the best by words are fetched where that is about enough.
FETCHED = 1_000
# The next filter may be somewhat narrower than the last one.
_NARROWER = 0.9


class Ahead:
    """The best of all passages by words and by vector: where enough of them pass a filter, they are the answer to it.

    What is looked up is what a filter like the last one would need.
    """

    def __init__(
        self,
        keywords: Keywords,
        block: Block | None,
        words: str,
        vector: NDArray[np.float32] | None,
        depth: int,
        share: float,
    ) -> None:
        """`depth`: how many of each kind will be asked for; `share`: about how many passages will pass.

        Without `words` or a `vector` there is nothing of that kind.
        """
        self._keywords = keywords
        self._block = block
        self._words = words
        self.vector = vector
        self._depth = depth
        self._share = _NARROWER * share
        # `None` until there was time, and where they would not help.
        self.best: Best | None = None
        self.near: NDArray[np.int64] | None = None

    def steps(self) -> Iterator[None]:
        """Small steps, of which the last ones may be left out."""
        if self._words and first_fetch(self._depth, self._share) <= FETCHED:
            self.best = self._keywords.best(self._words, FETCHED)
            yield
        if self._block is not None and self.vector is not None:
            self.near = self._block.near(self.vector, self._depth, self._share)
            yield
        if self._words:
            yield from self._keywords.reading(self._words)
