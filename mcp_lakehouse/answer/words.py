"""The words of a text that carry meaning, as the keyword index counts them; and which of them name things."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from mcp_lakehouse.answer.forms import Forms, slips
from mcp_lakehouse.answer.languages import ASKING_ELSEWHERE
from mcp_lakehouse.index.analysis import Analyser

# What a question is made of and its answer need not hold.
_ASKING = """a able about above according across actually after again against all allow allowed allows along already
also although always am among an and another answer any anybody anyone anything are aren't around as ask
asked associated at available bad based be because become becomes been before being believe below best
better between big both bring bringing brings brought but by call called came can can't cannot case cases
certain close come comes concerning consist consists contain contains could current currently describe
despite did different do does doesn't doing don't done down during each either else especially etc even
ever every everything exactly example examples exist few find first follow following follows for from
further get getting give given gives go goes going good got great had happen happened happens has have
having he help her here hers him his hold holding holds how however i i'm if important in include
includes including info information instance into involve involves involving is isn't it its itself just
keep kind kinds know known last latest let like likely likes list look looking made main mainly make
makes making many may me mean means might more most mostly much must my name near nearby need needed
needs neither never next no nor not nothing now obtain obtained of off offer offers often on once one
only or other our out over own particularly people per person please possible possibly present presently
provide provided provides put question questions rather ready really recent recently refer refers
regarding related relevant require required requires right said same saw say says search second see seek
seeking seem seems seen several shall she should show since small so some somebody someone something
sometimes sort sorts still such suggest suggests suitable sure take taken takes taking tell than thanks
that the their them then there there's these they thing things think third this those though thought
three through to today told too toward towards tried true try two under until up upon us use used using
usually valid various very want wanted wants was way ways we wear wearing were what what's when where
whereas whether which while who who's whom whose why will with within without worse worst would wrong yet
you your yours"""
_PLAIN_WORD = re.compile(r"[^\W_]+")
# A shorter word of a language that we know no words of is taken for one that only asks.
_TELLING_LETTERS = 4
# "How long": asks for a number, and what answers seldom repeats it.
_HOW_MUCH = re.compile(
    r"\bhow (long|far|often|old|high|large|big|fast|tall|deep|wide|heavy|soon|early|late|frequently)\b", re.IGNORECASE
)
# Words of other languages are not stemmed; those that begin alike by so much are taken for one.
_ALIKE_LETTERS, _ALIKE_SHARE = 5, 0.7
_WORD_OR_STOP = re.compile(r"[^\W_]+(?:[.'’&/+-][^\W_]+)*|[.!?:]\s")


class Words:
    """Turns texts into content words. Any thread may use it."""

    def __init__(self) -> None:
        self._analyser = Analyser()
        self._asking = frozenset(self._analyser.words(_ASKING))
        self._english = frozenset(_ASKING.split())
        self._forms = Forms(self._analyser.words)
        self._elsewhere = {name: frozenset(words.split()) for name, words in ASKING_ELSEWHERE.items()}

    def terms(self, text: str) -> list[str]:
        """The content words of a text: stems, without single letters and what only asks."""
        words = self._analyser.words(text)
        return [w for w in words if w not in self._asking and not (len(w) == 1 and w.isascii() and w.isalpha())]

    def stems(self, text: str) -> frozenset[str]:
        """The words of a text as the keyword index counts them."""
        return frozenset(self._analyser.words(text))

    def asked(self, question: str) -> list[str]:
        """The content words of a question, without what only asks in its own language."""
        terms = self.terms(question)
        spelled = [word for word in _PLAIN_WORD.findall(question) if word.isalpha()]
        language, asking = self._language(question)
        if language is None:
            asking = frozenset(w for w in spelled if w.islower() and len(w) < _TELLING_LETTERS)
        asking |= {word.lower() for word in _HOW_MUCH.findall(question)}
        only_asks = {term for word in spelled if word.lower() in asking for term in self._analyser.words(word)}
        return [term for term in terms if term not in only_asks] or (terms if language is None else [])

    def alike(self, question: str, terms: Iterable[str]) -> dict[str, frozenset[str]]:
        """Which of these terms the question writes differently: each with the question's terms it stands for.

        In English those are irregular forms, close synonyms and slips of a key (names are not guessed at); in
        other languages words that begin alike.
        """
        asked = [term for term in self.asked(question) if term.isalpha()]
        terms = frozenset(terms)
        if self._language(question)[1]:
            found = {term: frozenset(each for each in asked if _begin_alike(each, term)) for term in terms}
        else:
            found = dict(slips([term for term in asked if term not in self.named(question)], terms))
            for each in asked:
                for other in self._forms.others(each) & terms:
                    found[other] = found.get(other, frozenset()) | {each}
        return {term: each for term, each in found.items() if each}

    def _language(self, question: str) -> tuple[str | None, frozenset[str]]:
        """The language most of whose asking words the question holds, with them; English where none holds more."""
        spelled = {word.lower() for word in _PLAIN_WORD.findall(question)}
        counts = {name: len(spelled & words) for name, words in self._elsewhere.items()}
        best, most = max(counts.items(), key=lambda pair: pair[1])
        english = len(spelled & self._english)
        if most > english:
            return best, self._elsewhere[best]
        return ("English" if english else None), frozenset()

    def named(self, question: str) -> frozenset[str]:
        """The terms that name: numbers, codes, and words with a capital that no sentence's start explains.

        In German every noun has a capital, which tells nothing.
        """
        found: set[str] = set()
        shouted = question.isupper()
        nouns = self._language(question)[0] == "German"
        start = True
        for match in _WORD_OR_STOP.finditer(question):
            word = match[0]
            if not word[0].isalnum():
                start = True
                continue
            capital = (word[0].isupper() and not start and not nouns) or any(c.isupper() for c in word[1:])
            if any(c.isdigit() for c in word) or (capital and not shouted):
                found.update(self.terms(word))
            start = False
        return frozenset(found)

    def spelled(self, question: str, terms: frozenset[str]) -> list[str]:
        """The question's own words that hold these terms, each once, those with joints in parts."""
        words = _PLAIN_WORD.findall(question)
        return list(dict.fromkeys(word for word in words if terms & set(self.terms(word))))


def _begin_alike(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    shared = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    return other.isalpha() and shared >= max(_ALIKE_LETTERS, _ALIKE_SHARE * shorter)


def weights(passages: Iterable[Sequence[str] | frozenset[str]], wanted: Iterable[str]) -> dict[str, float]:
    """How much each wanted term tells: little if every passage holds it, most if none does."""
    held = [frozenset(passage) for passage in passages]
    return {term: math.log(1 + (len(held) + 1) / (1 + sum(term in each for each in held))) for term in set(wanted)}


def coverage(held: Iterable[str], weight: Mapping[str, float]) -> float:
    """The share (0 to 1) of the weight that these terms hold. 1 where nothing is wanted."""
    total = sum(weight.values())
    return sum(weight[term] for term in weight.keys() & set(held)) / total if total else 1.0
