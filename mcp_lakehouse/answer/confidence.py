"""Whether what was found answers the question at all. Pure.

Three logistic regressions, each over the questions of one kind that data does not answer: those about something
else (nothing found is close), those about a thing that is nowhere named, and those about what the data does speak
of, but without telling it. The least sure of them decides. They are fitted by `python -m benchmarks answers` on half
of its questions; the other half is reported.
"""

from __future__ import annotations

import math
from dataclasses import replace

from mcp_lakehouse.answer.reading import Reading, Sentence
from mcp_lakehouse.answer.scoring import worth

# Above this an answer is given: a needless refusal costs more than a quote that does not help.
SURE_ENOUGH = 0.2
# To stand beside the answer of a dataset that clearly holds more of the question, one must be likelier than not.
_LIKELY = 0.5
# A dataset leads another that holds so much less of the question in its best passage.
_LEADS = 0.1
# Bias, then for each unit of: the best cosine above the embedder's floor, the best passage's share of the question.
ABOUT = (-3.32, 7.63, 5.29)
# Bias, then for: the share of the question no passage anywhere holds, and whether a name or number is among that.
KNOWN = (2.37, -8.34, -3.39)
# Bias, then for each unit of: the best sentence's cosine above the floor, its share of the question with what stands
# around it, and how much it lacks the kind of value that is asked for.
TOLD = (-2.06, 2.86, 2.34, -4.33)


def confidence(reading: Reading, floor: float) -> float:
    """From 0 to 1: how likely the passages hold the answer. `floor` is the embedder's."""
    if not reading.sentences or not reading.weight or reading.other_codes:
        return 0.0
    return min(
        _logistic(ABOUT, about(reading, floor)),
        _logistic(KNOWN, known(reading)),
        _logistic(TOLD, told(reading, floor)),
    )


def stands_beside(reading: Reading, best: Sentence, other: Sentence, floor: float) -> bool:
    """Whether `other` would be an answer by itself, where the dataset of `best` clearly holds more of the question."""
    leading, mine = (_of_dataset(reading, each) for each in (best, other))
    if leading.best_coverage - mine.best_coverage < _LEADS:
        return _logistic(ABOUT, about(mine, floor)) >= SURE_ENOUGH
    return confidence(mine, floor) >= _LIKELY


def _of_dataset(reading: Reading, sentence: Sentence) -> Reading:
    """The reading as if only the sentence's dataset had been searched, and only the sentence found in it."""
    dataset = reading.hits[sentence.hit].dataset
    passages = [held for held, hit in zip(reading.passages, reading.hits, strict=True) if hit.dataset == dataset]
    unknown = frozenset(reading.weight) - frozenset().union(*passages)
    return replace(reading, passages=passages, sentences=[sentence], unknown=unknown)


def about(reading: Reading, floor: float) -> tuple[float, float]:
    """What says whether the passages are about the question."""
    return (reading.best_cosine - floor) / (1 - floor), reading.best_coverage


def known(reading: Reading) -> tuple[float, float]:
    """What says whether the data knows the things the question names."""
    return reading.unknown_share, float(bool(reading.unknown & reading.named))


def told(reading: Reading, floor: float) -> tuple[float, float, float]:
    """What says whether the best sentence tells what is asked, and does not only speak of it."""
    best = max(reading.sentences, key=lambda each: worth(each, reading.hits[each.hit]))
    return (best.cosine - floor) / (1 - floor), best.reach, 1.0 - best.held


def _logistic(weights: tuple[float, ...], measures: tuple[float, ...]) -> float:
    logit = weights[0] + sum(weight * measure for weight, measure in zip(weights[1:], measures, strict=True))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))
