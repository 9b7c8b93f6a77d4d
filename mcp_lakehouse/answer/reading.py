"""Reads what a search found against the question: which sentences speak to it, and how much of it they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_lakehouse.answer.blocks import is_frame
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.sentences import sentences
from mcp_lakehouse.answer.words import Words, coverage, weights
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.records import Hit

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Embedder, Vectors

# What is written to a model and not to a reader. It is never quoted, unless the question is about such words.
_TO_A_MODEL = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:instruction|prompt|rule|direction|command)s?\b"
    r"|\b(?:ignore|disregard|forget) (?:all |everything )?(?:the )?(?:above|previous|prior)\b"
    r"|\b(?:system|developer) (?:prompt|message|override)\b"
    r"|\byou are (?:now|an? (?:ai|language model|assistant|chatbot))\b|\b(?:ai|llm|language) (?:assistant|model)s?:"
    r"|\bnew instructions?:|</?(?:system|user|assistant|instructions?|evidence)>|<\|\w+\|>|<<<"
    r"|\b(?:reply|respond|answer|output) (?:only|exactly|verbatim|with (?:the words?|only|exactly))\b"
    r"|\b(?:call|use|run|invoke) the \w+ tool\b|\bend of (?:evidence|context|documents?|data)\b"
    r"|[\"'](?:sentences|answerable|citations)[\"']\s*:",
    re.IGNORECASE,
)
# What takes back, or does not hold yet. Such a sentence is no reason to put its row on a list.
_TAKES_BACK = re.compile(
    r"\b(?:not|no|never|without|none|lacks?|lacking|expired|lapsed|revoked|formerly|previously|enrolled|pending|planned"
    r"|in progress|pursuing|starts next|studying for|working towards?|willing to|interested in|plans? to|hopes? to)\b"
    r"|n't\b",
    re.IGNORECASE,
)
# A sentence of fewer takes part where it holds one of the question's.
_LEAST_TERMS = 3
_HIT_WEIGHT = 0.5
_FACTS_WEIGHT = 0.5
# A question or an announcement.
_ANSWERS_NOTHING = ("?", ":", "？", "：")
_ENDS_A_SENTENCE = tuple('.!。！…"”)')


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence of a hit: the exact words at [start, end) of its text. `cosine` is to the question."""

    hit: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    coverage: float
    cosine: float
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Reading:
    """The question, what was found for it, and the sentences that may answer it.

    `weight` holds the question's terms with what each tells, `facts` the terms of each hit's columns, `passages`
    those and the terms of its title and text. `named` are the question's terms that are names or numbers, `unknown`
    those that nothing in the data holds. `as_rows`: the best rows are to be listed.
    """

    question: str
    hits: list[Hit]
    weight: dict[str, float]
    facts: list[frozenset[str]]
    passages: list[frozenset[str]]
    sentences: list[Sentence]
    named: frozenset[str]
    unknown: frozenset[str]
    as_rows: bool = False

    @property
    def best_cosine(self) -> float:
        """Of the sentence closest to the question; 0 where there is none."""
        return max((sentence.cosine for sentence in self.sentences), default=0.0)

    @property
    def best_coverage(self) -> float:
        """Share of the question's weight that one passage holds."""
        return max((coverage(held, self.weight) for held in self.passages), default=0.0)

    @property
    def unknown_share(self) -> float:
        """Share of the question's weight that lies on terms nothing in the data holds."""
        return coverage(self.unknown, self.weight) if self.unknown else 0.0


def read(
    question: str,
    hits: Sequence[Hit],
    *,
    words: Words,
    embedder: Embedder,
    holds: Callable[[str], bool],
    limits: AnswerLimits,
    as_rows: bool = False,
    cancel: CancelToken | None = None,
) -> Reading:
    """Read the hits against the question. One call of the embedder.

    With `as_rows`, sentences that take back what they say count for nothing: they are no reason to list a row.
    `holds` tells whether a word stands anywhere in the data; it is asked about those the hits do not hold.
    """
    about_models = is_to_a_model(question)
    doubts_count = as_rows and not _TAKES_BACK.search(question)
    facts, passages, candidates = [], [], []
    for number, hit in enumerate(hits):
        facts.append(fact_terms(hit, words))
        held = set(facts[-1]).union(words.terms(hit.title))
        for start, end in sentences(hit.text, limits.sentence_chars):
            text = hit.text[start:end]
            # What addresses a model is no fact: it is not quoted, and it does not count as known either.
            if doubts_count and _TAKES_BACK.search(text):
                continue
            if about_models or not is_to_a_model(text):
                terms = frozenset(words.terms(text))
                held |= terms
                if not text.endswith(_ANSWERS_NOTHING) and not is_frame(hit.text, start, end):
                    candidates.append((number, start, end, text, terms))
        passages.append(frozenset(held))
    alike = words.alike(question, frozenset().union(*passages))
    passages = [_with(held, alike) for held in passages]
    candidates = [(*each[:4], _with(each[4], alike)) for each in candidates]
    weight = weights(passages, words.asked(question))
    found = [(*each, coverage(each[4], weight)) for each in candidates]
    if as_rows:
        worths = [row_worth(p, f, hit, weight) for p, f, hit in zip(passages, facts, hits, strict=True)]
        best = sorted(range(len(hits)), key=worths.__getitem__, reverse=True)[: limits.weighed_rows]
        found = [each for each in found if each[0] in best]
    if any(len(each[4]) >= _LEAST_TERMS for each in found):
        found = [each for each in found if len(each[4]) >= _LEAST_TERMS or _is_short_answer(each[3], each[4], weight)]
    else:
        found = [each for each in found if each[4]]
    found.sort(key=lambda each: each[5] + _HIT_WEIGHT * hits[each[0]].score, reverse=True)
    found = found[: limits.sentences]
    vectors = embedder.embed([question, *(each[3] for each in found)], cancel=cancel)
    cosines = vectors[1:] @ vectors[0]
    read_ones = [Sentence(*each, float(c), v) for each, c, v in zip(found, cosines, vectors[1:], strict=True)]
    absent = frozenset(weight) - frozenset().union(*passages)
    unknown = _unknown(question, absent, words, holds, limits) if hits else absent
    named = words.named(question) & weight.keys()
    return Reading(question, list(hits), weight, facts, passages, read_ones, named, unknown, as_rows)


def _unknown(
    question: str, absent: frozenset[str], words: Words, holds: Callable[[str], bool], limits: AnswerLimits
) -> frozenset[str]:
    """Those absent from the passages that are absent from the whole data too; the longest words are looked up."""
    spelled = sorted(words.spelled(question, absent), key=len, reverse=True)[: limits.looked_up_words]
    return frozenset(term for word in spelled if not holds(word) for term in words.terms(word) if term in absent)


def _with(terms: frozenset[str], alike: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The terms, and the question's of which they are other forms."""
    return terms.union(*(alike[term] for term in terms if term in alike)) if alike else terms


def _is_short_answer(text: str, terms: frozenset[str], weight: Mapping[str, float]) -> bool:
    """Whether a short text speaks of what is asked and is more than a heading that names it."""
    if not terms & weight.keys():
        return False
    return text.endswith(_ENDS_A_SENTENCE) or (not text.startswith("#") and not terms <= weight.keys())


def row_worth(held: frozenset[str], facts: frozenset[str], hit: Hit, weight: Mapping[str, float]) -> float:
    """By how much of the question a row holds, in its columns above all, and by how it was found."""
    return coverage(held, weight) + _FACTS_WEIGHT * coverage(facts, weight) + _HIT_WEIGHT * hit.score


def is_to_a_model(text: str) -> bool:
    """Whether the text looks like it instructs a model that reads it."""
    return _TO_A_MODEL.search(text) is not None


def fact_terms(hit: Hit, words: Words) -> frozenset[str]:
    """The terms of a hit's columns."""
    return frozenset(words.terms("\n".join(str(value) for value in hit.columns.values() if value is not None)))
