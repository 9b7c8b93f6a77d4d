"""Whether what was found answers the question at all. Pure."""

from __future__ import annotations

import math

from mcp_lakehouse.answer.reading import Reading

# A logistic regression over three measures, fitted by `python -m benchmarks answers` on half of its questions.
# Above this an answer is given.
SURE_ENOUGH = 0.5
_COSINE, _COVERAGE, _MISSING, _BIAS = 12.0, 4.0, -4.0, -3.0


def confidence(reading: Reading, floor: float) -> float:
    """From 0 to 1: how likely the passages hold the answer. `floor` is the embedder's."""
    if not reading.sentences or not reading.weight:
        return 0.0
    above = (reading.best_cosine - floor) / (1 - floor)
    logit = _BIAS + _COSINE * above + _COVERAGE * reading.best_coverage + _MISSING * reading.missing_share
    return 1 / (1 + math.exp(-logit))
