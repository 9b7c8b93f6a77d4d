"""One score in 0..1 for each candidate, from its cosine and its BM25.

Hybrid is a convex combination of two normalised scores:

    v = (cosine - m) / (max cosine - m)      m: the query's mean cosine over the whole corpus
    b = bm25 / max bm25                      0 where the words are absent
    score = share * v + (1 - share) * b      v below 0 counts as 0: a match in words is none the worse for it

Every candidate of either list has its true cosine, so nothing is lost for being on one list only; that, and
the magnitudes which ranks throw away, is what reciprocal rank fusion lacks. Source: Bruch, Gai, Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval" (arXiv 2210.11934), which takes the theoretical minimum for
`m`; a corpus's mean is nearer to "has nothing to do with the query". `m` is one dot product: the query with
the mean of the corpus's vectors.

Scores of one call are comparable with each other. For several datasets, put the candidates of all into one
call, with `m` the mean over all their passages.
"""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Mode = Literal["hybrid", "vector", "keyword"]
Floats = NDArray[np.float32]

# INV-20931, x7, 4711: with letters, or too long to be a quantity in a sentence.
_IDENTIFIER = re.compile(r"(?:.*\d.*[^\W\d_]|.*[^\W\d_].*\d|.*\d{3})", re.DOTALL)


def share_for(query: str, share: float) -> float:
    """The weight of the vector part for one query, `share` being the model's: less by the part of identifiers in it.

    An identifier names one thing by its letters; what a model makes of it is near to whatever is spelt alike.
    """
    words = query.split()
    return share * (1 - sum(_IDENTIFIER.match(word) is not None for word in words) / max(1, len(words)))


def fuse(cosines: Floats, bm25: Floats, mean_cosine: float, share: float) -> Floats:
    """Hybrid scores, float32 (n,) in 0..1, of candidates with these cosines and BM25 scores (0: no word matches).

    `share` (0 to 1) is the weight of the vector part.
    """
    scores = share * _above_mean(cosines, mean_cosine) + (1 - share) * _relative(bm25)
    return np.clip(scores, 0, 1).astype(np.float32)


def score(mode: Mode, cosines: Floats, bm25: Floats, mean_cosine: float, share: float) -> Floats:
    """Scores, float32 (n,) in 0..1, in one of the modes.

    `vector`: the cosine itself, negative ones as 0; `keyword`: BM25 relative to the best candidate.
    """
    if mode == "hybrid":
        return fuse(cosines, bm25, mean_cosine, share)
    if mode == "vector":
        return np.clip(cosines, 0, 1).astype(np.float32)
    return _relative(bm25)


def ranked(scores: Floats, limit: int) -> NDArray[np.intp]:
    """Positions of the best `limit` scores, best first; equal scores keep the order in which they were given."""
    return np.argsort(-scores, kind="stable")[: max(0, limit)]


def _above_mean(cosines: Floats, mean_cosine: float) -> Floats:
    span = float(cosines.max(initial=mean_cosine)) - mean_cosine
    # Nothing is nearer than the average passage (a query without any known word): the vectors have no say.
    return np.clip((cosines - mean_cosine) / span, 0, 1) if span > 1e-6 else np.zeros_like(cosines)


def _relative(bm25: Floats) -> Floats:
    best = float(bm25.max(initial=0))
    return np.clip(bm25 / best, 0, 1).astype(np.float32) if best > 0 else np.zeros(len(bm25), np.float32)
