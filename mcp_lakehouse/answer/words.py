"""The words of a text that carry meaning, as the keyword index counts them; and which of them name things."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from mcp_lakehouse.index.analysis import Analyser

# What a question is made of and its answer need not hold.
_ASKING = """a about above after again all also am an and any anybody anyone are as at be because been before being
below between both but by can cannot could describe did do does doing done down during each either else etc ever every
exist few find for from further get give given had has have having he her here hers him his how however i if in
into is it its itself just know known let list many me mean means more most much must my name neither no nor not of
off on once one only or other our out over own per please same say said says shall she should show so some somebody
someone something such tell than that the their them then there these they this those through to too under until up
upon us use used using very was we were what when where whether which while who whom whose why will with within
without would you your yours"""
_PLAIN_WORD = re.compile(r"[^\W_]+")
_WORD_OR_STOP = re.compile(r"[^\W_]+(?:[.'’&/+-][^\W_]+)*|[.!?:]\s")


class Words:
    """Turns texts into content words. Any thread may use it."""

    def __init__(self) -> None:
        self._analyser = Analyser()
        self._asking = frozenset(self._analyser.words(_ASKING))

    def terms(self, text: str) -> list[str]:
        """The content words of a text: stems, without single letters and what only asks."""
        words = self._analyser.words(text)
        return [w for w in words if w not in self._asking and not (len(w) == 1 and w.isascii() and w.isalpha())]

    def named(self, question: str) -> frozenset[str]:
        """The terms that name: numbers, codes, and words with a capital that no sentence's start explains."""
        found: set[str] = set()
        shouted = question.isupper()
        start = True
        for match in _WORD_OR_STOP.finditer(question):
            word = match[0]
            if not word[0].isalnum():
                start = True
                continue
            capital = (word[0].isupper() and not start) or any(c.isupper() for c in word[1:])
            if any(c.isdigit() for c in word) or (capital and not shouted):
                found.update(self.terms(word))
            start = False
        return frozenset(found)

    def spelled(self, question: str, terms: frozenset[str]) -> list[str]:
        """The question's own words that hold these terms, each once, those with joints in parts."""
        words = _PLAIN_WORD.findall(question)
        return list(dict.fromkeys(word for word in words if terms & set(self.terms(word))))


def weights(passages: Iterable[Sequence[str] | frozenset[str]], wanted: Iterable[str]) -> dict[str, float]:
    """How much each wanted term tells: little if every passage holds it, most if none does."""
    held = [frozenset(passage) for passage in passages]
    return {term: math.log(1 + (len(held) + 1) / (1 + sum(term in each for each in held))) for term in set(wanted)}


def coverage(held: Iterable[str], weight: Mapping[str, float]) -> float:
    """The share (0 to 1) of the weight that these terms hold. 1 where nothing is wanted."""
    total = sum(weight.values())
    return sum(weight[term] for term in weight.keys() & set(held)) / total if total else 1.0
