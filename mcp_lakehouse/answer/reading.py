"""Reads what a search found against the question: which sentences speak to it, and how much of it they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp_lakehouse.answer.candidates import Candidate, adds_nothing, candidates, fact_terms, reach, with_forms
from mcp_lakehouse.answer.identifiers import other_codes, with_codes
from mcp_lakehouse.answer.kinds import Kind, kind_of
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.words import Words, coverage, weights
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.records import Hit

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Embedder, Vectors

# A sentence of fewer takes part where it holds one of the question's.
_LEAST_TERMS = 3
_HIT_WEIGHT = 0.5
_FACTS_WEIGHT = 0.5
_KIND_WEIGHT = 0.3
_ENDS_A_SENTENCE = tuple('.!。！…"”)')


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence of a hit: the exact words at [start, end) of its text.

    `coverage` is its share of the question's weight, `reach` that with what stands around it, `held` how surely it
    holds a value of the kind that is asked for (0 to 1; 1 where no kind is), `cosine` its closeness to the question.
    """

    hit: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    coverage: float
    reach: float
    held: float
    cosine: float
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Reading:
    """The question, what was found for it, and the sentences that may answer it.

    `weight` holds the question's terms with what each tells, `facts` the terms of each hit's columns, `passages`
    those and the terms of its title and text. `named` are the question's terms that are names or numbers, `unknown`
    those that nothing in the data holds. `kind` of value is asked for; `other_codes`: the hits hold codes
    like one of the question's, but not that one. `as_rows`: the best rows are to be listed.
    """

    question: str
    hits: list[Hit]
    weight: dict[str, float]
    facts: list[frozenset[str]]
    passages: list[frozenset[str]]
    sentences: list[Sentence]
    named: frozenset[str]
    unknown: frozenset[str]
    kind: Kind | None = None
    other_codes: bool = False
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
    kind = None if as_rows else kind_of(question)
    asked = words.asked(question)
    facts = [fact_terms(hit, words) for hit in hits]
    frames = [held.union(words.terms(hit.title)) for held, hit in zip(facts, hits, strict=True)]
    relevant = with_codes(question, hits)
    found = [
        each
        for number, hit in enumerate(hits)
        for each in candidates(question, number, hit, frames[number], kind, words, limits, as_rows=as_rows)
    ]
    alike = words.alike(question, frozenset().union(*facts, *(each.terms for each in found)))
    says = frozenset(words.terms(kind.says)) if kind else frozenset()
    found = [each.with_terms(alike, says) for each in found]
    held: list[set[str]] = [set(frame) for frame in frames]
    for each in found:
        held[each.hit] |= each.terms
    passages = [with_forms(frozenset(terms), alike) for terms in held]
    weight = weights(passages, asked)
    if as_rows:
        worths = [row_worth(p, f, hit, weight) for p, f, hit in zip(passages, facts, hits, strict=True)]
        best = sorted(range(len(hits)), key=worths.__getitem__, reverse=True)[: limits.weighed_rows]
        found = [each for each in found if each.hit in best]
    found = [each for each in found if each.hit in relevant]
    weighed = _weighed(question, found, weight, hits, words, of_a_kind=kind is not None)
    weighed = weighed[: limits.row_sentences if as_rows else limits.sentences]
    vectors = embedder.embed([question, *(each.text for each in weighed)], cancel=cancel)
    cosines = vectors[1:] @ vectors[0]
    read_ones = [
        Sentence(
            c.hit,
            c.start,
            c.end,
            c.text,
            c.terms,
            coverage(c.terms, weight),
            reach(c, weight),
            c.held,
            float(cosine),
            v,
        )
        for c, cosine, v in zip(weighed, cosines, vectors[1:], strict=True)
    ]
    absent = frozenset(weight) - frozenset().union(*passages)
    unknown = _unknown(question, absent, words, holds, limits) if hits else absent
    named = words.named(question) & weight.keys()
    return Reading(
        question,
        list(hits),
        weight,
        facts,
        passages,
        read_ones,
        named,
        unknown,
        kind,
        other_codes(question, hits),
        as_rows,
    )


def _weighed(
    question: str,
    found: Sequence[Candidate],
    weight: Mapping[str, float],
    hits: Sequence[Hit],
    words: Words,
    *,
    of_a_kind: bool,
) -> list[Candidate]:
    """The candidates that may answer, the likeliest by their words first."""
    quotable = [each for each in found if not each.mute]
    if any(len(each.terms) >= _LEAST_TERMS for each in quotable):
        kept = [
            each
            for each in quotable
            if len(each.terms) >= _LEAST_TERMS
            or (of_a_kind and each.held)
            or _is_short_answer(question, each, weight, words)
        ]
    else:
        kept = [each for each in quotable if each.terms]
    telling = [each for each in kept if (of_a_kind and each.held) or not adds_nothing(question, each, words)] or kept

    def likely(each: Candidate) -> float:
        return reach(each, weight) + _HIT_WEIGHT * hits[each.hit].score + _KIND_WEIGHT * each.held

    return sorted(telling, key=likely, reverse=True)


def _unknown(
    question: str, absent: frozenset[str], words: Words, holds: Callable[[str], bool], limits: AnswerLimits
) -> frozenset[str]:
    """Those absent from the passages that are absent from the whole data too; the longest words are looked up."""
    spelled = sorted(words.spelled(question, absent), key=len, reverse=True)[: limits.looked_up_words]
    return frozenset(term for word in spelled if not holds(word) for term in words.terms(word) if term in absent)


def _is_short_answer(question: str, candidate: Candidate, weight: Mapping[str, float], words: Words) -> bool:
    """Whether a short text speaks of what is asked and is more than a heading that names it."""
    if not candidate.terms & weight.keys():
        return False
    if candidate.text.endswith(_ENDS_A_SENTENCE) or "|" in candidate.text:
        return True
    return not candidate.text.startswith("#") and not words.stems(candidate.text) <= words.stems(question)


def row_worth(held: frozenset[str], facts: frozenset[str], hit: Hit, weight: Mapping[str, float]) -> float:
    """By how much of the question a row holds, in its columns above all, and by how it was found."""
    return coverage(held, weight) + _FACTS_WEIGHT * coverage(facts, weight) + _HIT_WEIGHT * hit.score
