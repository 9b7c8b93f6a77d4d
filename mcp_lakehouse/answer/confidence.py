"""Whether what was found answers the question at all. Pure.

A logistic regression over questions that data answers and four kinds that it does not: those about something else,
those about a thing that is nowhere named, those about what the data does speak of without telling it, and those whose
answer was taken out. It is fitted by `python -m benchmarks answers` on half of its questions; the other half is
reported.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mcp_lakehouse.answer.reading import Reading, Sentence
from mcp_lakehouse.answer.scoring import worth

# Above this an answer is given: a needless refusal costs more than a quote that does not help.
SURE_ENOUGH = 0.25
# To stand beside the answer of a dataset that clearly holds more of the question, one must be likelier than not.
_LIKELY = 0.5
# A dataset leads another that holds so much less of the question in its best passage.
_LEADS = 0.1
# Bias, then for each unit of what `measures` gives.
WEIGHTS = (-1.35, 2.78, -3.14, -2.03, 2.14, -3.66)


def confidence(reading: Reading, floor: float) -> float:
    """From 0 to 1: how likely the passages hold the answer. `floor` is the embedder's."""
    if not reading.sentences or not reading.weight or reading.other_codes:
        return 0.0
    logit = WEIGHTS[0] + sum(w * m for w, m in zip(WEIGHTS[1:], measures(reading, floor), strict=True))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def measures(reading: Reading, floor: float) -> tuple[float, ...]:
    """What says whether the question is answered, each but the first from 0 to 1.

    The best cosine above the embedder's floor; the share of the question that no passage anywhere holds, and whether
    a name or number is among that; the best sentence's share of the question with what stands around it, and how much
    it lacks the kind of value that is asked for. Without a sentence: the worst of each.
    """
    if not reading.sentences:
        return 0.0, reading.unknown_share, 1.0, 0.0, 1.0
    best = max(reading.sentences, key=lambda each: worth(each, reading.hits[each.hit]))
    return (
        (reading.best_cosine - floor) / (1 - floor),
        reading.unknown_share,
        float(bool(reading.unknown & reading.named)),
        best.reach,
        1.0 - best.held,
    )


def stands_beside(reading: Reading, best: Sentence, other: Sentence, floor: float) -> bool:
    """Whether `other` would be an answer by itself, where the dataset of `best` clearly holds more of the question."""
    leading, mine = (_of_dataset(reading, each) for each in (best, other))
    behind = leading.best_coverage - mine.best_coverage >= _LEADS
    return confidence(mine, floor) >= (_LIKELY if behind else SURE_ENOUGH)


def _of_dataset(reading: Reading, sentence: Sentence) -> Reading:
    """The reading as if only the sentence's dataset had been searched, and only the sentence found in it."""
    dataset = reading.hits[sentence.hit].dataset
    passages = [held for held, hit in zip(reading.passages, reading.hits, strict=True) if hit.dataset == dataset]
    unknown = frozenset(reading.weight) - frozenset().union(*passages)
    return replace(reading, passages=passages, sentences=[sentence], unknown=unknown)
