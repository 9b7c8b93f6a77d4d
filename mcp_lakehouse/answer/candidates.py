"""The sentences of what was found that may be quoted, each with what stands around it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mcp_lakehouse.answer.amounts import MONEY
from mcp_lakehouse.answer.blocks import cells, is_frame
from mcp_lakehouse.answer.kinds import MONEY_KIND, SIZE, Kind, held
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.ranges import outside
from mcp_lakehouse.answer.sentences import sentences
from mcp_lakehouse.answer.words import Words, coverage
from mcp_lakehouse.records import Hit, Json

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
# A question or an announcement.
_ANSWERS_NOTHING = ("?", ":", "？", "：")
_ANNOUNCES = (":", "：")
_HEADING_CHARS = 60
# What only stands around a sentence (its heading, its neighbours) counts for so much of what it says itself.
_AROUND = 0.5
# A value in the columns of its row says less of a sentence than one of its own.
_OF_COLUMNS = 0.7
# A question that wants more than a yes or a no.
_ASKS_FOR_MORE = re.compile(
    r"^\W*(?:[\w'’]+\W+){0,3}?(?:what|which|who|whom|whose|when|where|why|how)\b", re.IGNORECASE
)
_LIST_MARK = re.compile(r"^(?:\d{1,3}|[A-Za-z])[.)]\s+")
ENDS_A_SENTENCE = '.!?。！？…"”)'
# One of more terms says more than the question.
_FEW_TERMS = 8
# Columns of a dataset that was made from documents.
_OF_DOCUMENTS = frozenset({"source", "page", "section", "line", "text"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a hit. `around` are the terms of its title, columns and neighbours; `held` as in `Sentence`.

    `mute`: it stands around others and is not quoted, as a heading. `line`: it is the first of others and has no
    mark at its end, as a title.
    """

    hit: int
    start: int
    end: int
    text: str
    terms: frozenset[str]
    around: frozenset[str]
    held: float
    mute: bool
    line: bool

    def with_terms(self, alike: Mapping[str, frozenset[str]], says: frozenset[str]) -> Candidate:
        """With the question's terms of which its own are other forms, and those that name the kind it holds."""
        says = says if self.held >= _OF_COLUMNS else frozenset()
        if not alike and not says:
            return self
        own = with_forms(self.terms, alike) | says
        return replace(self, terms=own, around=with_forms(self.around, alike))


def candidates(
    question: str,
    number: int,
    hit: Hit,
    frame: frozenset[str],
    kind: Kind | None,
    words: Words,
    limits: AnswerLimits,
    *,
    as_rows: bool,
) -> Iterator[Candidate]:
    """The sentences of hit `number`; `frame` are the terms of its title and columns.

    With `as_rows`, sentences that take back what they say are left out: they are no reason to list a row. What
    addresses a model is no fact: it is not quoted, and it does not count as known either.
    """
    about_models = is_to_a_model(question)
    doubts_count = as_rows and not _TAKES_BACK.search(question)
    spans = [
        (start, end, frozenset(words.terms(_LIST_MARK.sub("", cells(hit.text, start, end)))))
        for start, end in sentences(hit.text, limits.sentence_chars)
        if not (doubts_count and _TAKES_BACK.search(hit.text[start:end]))
        and (about_models or not is_to_a_model(hit.text[start:end]))
    ]
    columns = columns_told(hit, words, kind) if kind else ""
    lead: frozenset[str] = frozenset()
    for n, (start, end, terms) in enumerate(spans):
        text = hit.text[start:end]
        # A row of a table says nothing of the next one.
        near = frozenset(spans[n - 1][2] if n and "|" not in text else ())
        mute = text.endswith(_ANSWERS_NOTHING) or text.startswith("#") or is_frame(hit.text, start, end)
        told = cells(hit.text, start, end)
        value = max(held(kind, told), _OF_COLUMNS * held(kind, columns)) if kind else 1.0
        if "|" in text and outside(question, told):
            value = 0.0
        line = n == 0 and hit.text[end : end + 1] == "\n" and text[-1] not in ENDS_A_SENTENCE and "|" not in text
        yield Candidate(number, start, end, text, terms, frame | near | lead, value, mute, line)
        lead = terms if _leads(hit.text, start, end) else lead


def _leads(text: str, start: int, end: int) -> bool:
    """Whether it announces what follows, up to the next that does: "These are free:", or a short line as a heading."""
    piece = text[start:end]
    if piece.endswith(_ANNOUNCES):
        return True
    own_line = text[end : end + 1] == "\n" and text[start - 1 : start] in ("", "\n")
    return own_line and piece[-1] not in ENDS_A_SENTENCE and piece[0].isalnum() and len(piece) <= _HEADING_CHARS


def reach(candidate: Candidate, weight: Mapping[str, float]) -> float:
    """The share of the question's weight that the sentence holds, with part of what stands around it."""
    own = coverage(candidate.terms, weight)
    return own + _AROUND * (coverage(candidate.terms | candidate.around, weight) - own)


def adds_nothing(question: str, candidate: Candidate, words: Words) -> bool:
    """Whether it only says what the question says, which is no answer where more than a yes is asked for."""
    if len(candidate.terms) > _FEW_TERMS or not _ASKS_FOR_MORE.search(question):
        return False
    said = words.stems(_LIST_MARK.sub("", candidate.text)) - words.stems(question)
    return len(said) <= candidate.line


def with_forms(terms: frozenset[str], alike: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The terms, and the question's of which they are other forms."""
    return terms.union(*(alike[term] for term in terms if term in alike)) if alike else terms


def is_to_a_model(text: str) -> bool:
    """Whether the text looks like it instructs a model that reads it."""
    return _TO_A_MODEL.search(text) is not None


def is_row(hit: Hit) -> bool:
    """Whether the hit is a row of a table and not a piece of a document."""
    return not hit.columns or not hit.columns.keys() <= _OF_DOCUMENTS


def columns_told(hit: Hit, words: Words, kind: Kind) -> str:
    """The columns of a table's row whose names the question says, and those with a price that is asked for."""
    if not is_row(hit):
        return ""
    wanted = set(words.terms(kind.question))
    told = [(name, str(value)) for name, value in hit.columns.items() if value is not None]
    return "\n".join(
        f"{name}: {value}" for name, value in told if wanted & set(words.terms(name)) or is_price(kind, name, value)
    )


def is_price(kind: Kind | None, name: str, value: Json) -> bool:
    """Whether a column holds a price where one may be asked for: "how much is it?" asks for either."""
    asked = kind is not None and kind.name in (MONEY_KIND, SIZE)
    return asked and MONEY.search(f"{name}: {value}") is not None


def fact_terms(hit: Hit, words: Words) -> frozenset[str]:
    """The terms of a hit's columns."""
    return frozenset(words.terms("\n".join(str(value) for value in hit.columns.values() if value is not None)))
