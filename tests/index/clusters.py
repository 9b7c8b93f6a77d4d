"""Vectors that lie like those of texts: in clusters of clusters, some equal, a few zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def normalised(vectors: NDArray[np.floating]) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)


def clustered(count: int, dimensions: int, *, clusters: int = 20, seed: int = 7) -> tuple[Floats, NDArray[np.int64]]:
    """Rows and the cluster of each; within a cluster the spread falls off over few directions, as with texts."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((clusters, dimensions))
    of = random.integers(0, clusters, count)
    fading = 1 / np.sqrt(1 + np.arange(dimensions) / 8)
    turned = np.linalg.qr(random.standard_normal((dimensions, dimensions)))[0]
    own = (random.standard_normal((count, dimensions)) * fading) @ turned
    return normalised(centres[of] + 1.5 * own), of.astype(np.int64)


def truth(vectors: Floats, query: Floats, k: int, mask: NDArray[np.bool_] | None = None) -> Floats:
    """The k highest cosines, in double precision, best first."""
    scores = vectors.astype(np.float64) @ (query.astype(np.float64) / (np.linalg.norm(query) or 1.0))
    if mask is not None:
        scores = scores[mask]
    return np.sort(scores)[::-1][:k].astype(np.float32)
