"""Checks what a model wrote: whether each quote stands in its passage, and each sentence on its quotes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mcp_lakehouse.answer.candidates import is_to_a_model
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.quotes import locate
from mcp_lakehouse.answer.replies import Claim
from mcp_lakehouse.answer.sentences import sentences
from mcp_lakehouse.answer.words import Words
from mcp_lakehouse.records import Citation, Hit

# A quote this long is found again in another passage than the one it was ascribed to.
_TELLING_CHARS = 20
# Without a quote, a passage's sentence must share this much of what is claimed.
_LEAST_SHARED = 0.5
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
# Numbers that texts spell out, in English. "One" is most often none, and parts of larger ones are passed over.
_SPELLED = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "noon": "12",
}  # fmt: skip
_WORDS = re.compile(
    rf"(?<![\w-])(?:{'|'.join(_SPELLED)})(?![\w-]|\s+(?:hundred|thousand|million|billion)\b)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Checked:
    """`written` is each sentence with the numbers of its citations; none where nothing supports it."""

    written: list[tuple[str, list[int]]]
    citations: list[Citation]
    used: list[int]
    dropped: int

    @property
    def unsupported(self) -> list[str]:
        """The sentences without a citation that holds."""
        return [text for text, numbers in self.written if not numbers]


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks claims against the hits that a model was shown; `shown` are their texts as it saw them."""

    question: str
    hits: Sequence[Hit]
    words: Words
    limits: AnswerLimits

    def check(self, claims: Sequence[Claim]) -> Checked:
        """Keep the citations that hold, number them in order, and note the sentences left without."""
        citations: list[Citation] = []
        used: list[int] = []
        written: list[tuple[str, list[int]]] = []
        dropped = 0
        for claim in claims:
            found = [self._resolve(claim.text, number, quote) for number, quote in claim.cited]
            held = list(dict.fromkeys(each for each in found if each is not None))
            if not self._supports(claim.text, held):
                held = []
            dropped += len(claim.cited) - len(held)
            numbers = []
            for index, quote in held:
                identity = self.hits[index].id
                known = next((c.n for c in citations if (c.id, c.quote) == (identity, quote)), None)
                if known is None:
                    known = len(citations) + 1
                    citations.append(Citation(known, identity, quote))
                    used.append(index)
                numbers.append(known)
            written.append((claim.text, numbers))
        return Checked(written, citations, used, dropped)

    def _resolve(self, claim: str, number: int, quote: str) -> tuple[int, str] | None:
        """The hit's index and its own words for one citation, `None` for an invented one."""
        if not quote.strip():
            return self._sentence_of(claim, number - 1) if 1 <= number <= len(self.hits) else None
        if not self.words.terms(quote):
            return None
        order = [number - 1] if 1 <= number <= len(self.hits) else []
        if len(quote) >= _TELLING_CHARS:
            order += [index for index in range(len(self.hits)) if index not in order]
        for index in order:
            exact = locate(quote, self.hits[index].text)
            if exact is not None and not self._is_planted(exact, self.hits[index].text):
                return index, exact
        return None

    def _sentence_of(self, claim: str, index: int) -> tuple[int, str] | None:
        """The sentence of a passage that shares most with a claim that cites it without a quote."""
        wanted = frozenset(self.words.terms(claim))
        text = self.hits[index].text
        best, most = "", 0.0
        for start, end in sentences(text, self.limits.sentence_chars):
            shared = len(wanted & set(self.words.terms(text[start:end]))) / max(1, len(wanted))
            if shared > most and not is_to_a_model(text[start:end]):
                best, most = text[start:end], shared
        return (index, best) if most >= _LEAST_SHARED else None

    def _supports(self, claim: str, held: Sequence[tuple[int, str]]) -> bool:
        """Whether the quotes can carry the claim: they share words, and every number in it comes from somewhere."""
        if not held:
            return False
        wanted = set(self.words.terms(claim))
        quoted = set(self.words.terms(" ".join(quote for _, quote in held)))
        if wanted and not wanted & quoted:
            return False
        known = " ".join(
            [self.question, *(f"{self.hits[i].title} {self.hits[i].text} {self.hits[i].columns}" for i, _ in held)]
        )
        return _numbers(claim) <= _numbers(known)

    def _is_planted(self, quote: str, text: str) -> bool:
        """Whether the quote lies in a sentence that addresses a model, and the question is not about such."""
        if is_to_a_model(self.question):
            return False
        at = text.find(quote)
        touched = (text[a:b] for a, b in sentences(text, self.limits.sentence_chars) if a < at + len(quote) and at < b)
        return any(is_to_a_model(sentence) for sentence in touched)


def _numbers(text: str) -> set[str]:
    written = {digits.replace(",", "").rstrip(".") for digits in _DIGITS.findall(text)}
    return written | {_SPELLED[word.lower()] for word in _WORDS.findall(text)}
