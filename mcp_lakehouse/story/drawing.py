"""Chance that can be repeated: numbers that depend on nothing but a seed and a purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Days = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]


class Draw:
    """A stream of draws for one purpose (whole numbers that name it).

    Everything is made from uniform numbers here, because of all draws of numpy's these change least
    from one version to the next.
    """

    def __init__(self, seed: int, *purpose: int) -> None:
        self._numbers = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *purpose])))

    def uniform(self, *shape: int) -> Floats:
        """Numbers from 0 up to and without 1."""
        return self._numbers.random(shape)

    def chance(self, share: float | Floats, *shape: int) -> Bools:
        """True with this share."""
        return np.asarray(self.uniform(*shape) < share)

    def below(self, size: int | Ints, count: int) -> Ints:
        """Whole numbers from 0 up to and without `size` (one for all, or one for each)."""
        return (self.uniform(count) * size).astype(np.int64)

    def pick(self, shares: Sequence[float] | Floats, count: int) -> Ints:
        """Positions in `shares`, each as often as its share says."""
        steps = np.cumsum(np.asarray(shares, dtype=np.float64))
        return np.searchsorted(steps / steps[-1], self.uniform(count), side="right").clip(max=len(steps) - 1)

    def around(self, count: int) -> Floats:
        """About normal (mean 0, deviation 1, never beyond 3.5): the sum of four uniform numbers."""
        return np.asarray((self.uniform(count, 4).sum(axis=1) - 2) * np.sqrt(3.0))
