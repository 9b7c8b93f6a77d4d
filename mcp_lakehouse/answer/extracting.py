"""An answer without a model: the few sentences of the data that say most about the question, each cited."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mcp_lakehouse.answer.blocks import cells, header_of
from mcp_lakehouse.answer.candidates import is_price, is_row, is_to_a_model
from mcp_lakehouse.answer.limits import AnswerLimits
from mcp_lakehouse.answer.reading import Reading, Sentence, row_worth
from mcp_lakehouse.answer.scoring import worth
from mcp_lakehouse.answer.words import Words, coverage
from mcp_lakehouse.records import Answer, Citation, Evidence, Hit, Json

# A sentence this close to one already chosen repeats it.
_REPEATS = 0.85
# A further sentence is worth its place if it scores nearly as well, or adds this share of the question.
_NEARLY, _ADDS = 0.95, 0.2
_LEAST_OF_BEST = 0.8
_LEAST_OF_BEST_ROW = 0.75
_ASKS_FOR_ROWS = re.compile(
    r"^\W*(?:please |can you |could you |i need |i want |we need )*"
    r"(?:find|list|show|suggest|recommend|get|give|search|look for|match|rank|shortlist|staff|i need|we need)\b",
    re.IGNORECASE,
)
_MAY_ASK_FOR_ROWS = re.compile(
    r"^\W*(?:who|whom|whose|which|any|is there|are there|do we have)\b"
    # A few words without a verb of asking: "welder, AWS D1.1, Texas".
    r"|^(?!\W*(?:what|how|why|when|where|do|does|did|is|are|was|were|can|could|should|will|tell|explain|describe)\b)"
    r"[^?.!]{1,100}$",
    re.IGNORECASE,
)
_TOLD_CHARS = 120
_MARK = re.compile(r"\[(\d+(?:\s*[,–-]\s*\d+)*)\]")


def choose(reading: Reading, most: int, stands: Callable[[Sentence, Sentence], bool]) -> list[Sentence]:
    """At most `most` sentences, best first: close to the question, not repeating each other.

    `stands` tells whether a sentence of another dataset than the best one's may stand beside it.
    """
    scores = {each: worth(each, reading.hits[each.hit]) for each in reading.sentences}
    ranked = sorted(reading.sentences, key=scores.__getitem__, reverse=True)
    chosen: list[Sentence] = []
    for sentence in ranked:
        if len(chosen) == most:
            break
        if not chosen:
            chosen.append(sentence)
            continue
        mine, best = scores[sentence], scores[chosen[0]]
        if mine < _LEAST_OF_BEST * best:
            break
        held = frozenset().union(*(each.terms for each in chosen))
        adds = coverage(held | sentence.terms, reading.weight) - coverage(held, reading.weight)
        repeats = any(float(sentence.vector @ each.vector) > _REPEATS for each in chosen)
        if repeats or sentence.held < chosen[0].held or not (mine >= _NEARLY * best or adds >= _ADDS):
            continue
        dataset = reading.hits[sentence.hit].dataset
        if dataset == reading.hits[chosen[0].hit].dataset or stands(chosen[0], sentence):
            chosen.append(sentence)
    return chosen


def extractive(
    reading: Reading,
    words: Words,
    limits: AnswerLimits,
    stands: Callable[[Sentence, Sentence], bool],
    *,
    rows: int,
    note: str | None = None,
) -> Answer:
    """The answer in the data's own sentences; as a list of at most `rows` rows where the question asks for some.

    `stands` as in `choose`.
    """
    if reading.as_rows:
        return _listed(reading, words, min(rows, limits.listed_rows), note)
    chosen = choose(reading, limits.quoted_sentences, stands)
    citations = [_citation(n, s, reading.hits) for n, s in enumerate(chosen, 1)]
    text = " ".join(
        f"{_told(s, reading.hits)}{_in_columns(s, reading, words)} [{c.n}]"
        for s, c in zip(chosen, citations, strict=True)
    )
    return Answer(text, citations, evidence([s.hit for s in chosen], reading.hits), None, True, False, note=note)


def asks_for_rows(question: str) -> bool | None:
    """Whether the question wants things listed and not something told; `None` where that depends on the data."""
    if _ASKS_FOR_ROWS.search(question):
        return True
    return None if _MAY_ASK_FOR_ROWS.search(question) else False


def _listed(reading: Reading, words: Words, most: int, note: str | None) -> Answer:
    lines: list[str] = []
    citations: list[Citation] = []
    used: list[int] = []
    for numbers in _rows(reading)[:most]:
        marks = []
        for sentence in _supporting(reading, numbers):
            citation = _citation(len(citations) + 1, sentence, reading.hits)
            citations.append(citation)
            used.append(sentence.hit)
            marks.append(f"{_told(sentence, reading.hits)} [{citation.n}]")
        hit = reading.hits[numbers[0]]
        told = [
            f"{name}: {plain(str(value))}"
            for name, value in hit.columns.items()
            if _is_telling(value, hit) and reading.weight.keys() & set(words.terms(str(value)))
        ]
        title = "" if is_to_a_model(hit.title) else plain(hit.title)
        head = f"{title} ({'; '.join(told)})" if told else title
        lines.append(f"{len(lines) + 1}. {head}: {' '.join(marks)}")
    return Answer("\n".join(lines), citations, evidence(used, reading.hits), None, True, False, note=note)


def _is_telling(value: Json, hit: Hit) -> bool:
    """Whether a column's value can stand beside its row's title."""
    text = str(value)
    return value is not None and text != hit.title and len(text) <= _TOLD_CHARS and not is_to_a_model(text)


def _rows(reading: Reading) -> list[list[int]]:
    """The hits of each row that has a sentence to show, best row first."""
    rows: dict[str, list[int]] = {}
    for number in sorted({sentence.hit for sentence in reading.sentences}):
        rows.setdefault(row_of(reading.hits[number].id), []).append(number)

    def of_row(numbers: list[int]) -> float:
        held = frozenset().union(*(reading.passages[n] for n in numbers))
        best = max((reading.hits[n] for n in numbers), key=lambda hit: hit.score)
        return row_worth(held, reading.facts[numbers[0]], best, reading.weight)

    ranked = sorted(rows.values(), key=of_row, reverse=True)
    return [row for row in ranked if of_row(row) >= _LEAST_OF_BEST_ROW * of_row(ranked[0])]


def _supporting(reading: Reading, numbers: Sequence[int]) -> list[Sentence]:
    """The sentence of these hits that supports best, and one more where that adds to what it holds of the question."""
    mine = [sentence for sentence in reading.sentences if sentence.hit in numbers]
    mine.sort(key=lambda each: worth(each, reading.hits[each.hit]), reverse=True)
    first = mine[0]
    held = coverage(first.terms, reading.weight)
    gains = [(coverage(first.terms | s.terms, reading.weight) - held, -n, s) for n, s in enumerate(mine[1:])]
    gain, _, second = max(gains, default=(0.0, 0, first))
    return [first, second] if gain >= _ADDS else [first]


def row_of(identity: str) -> str:
    """A citation without what says where in its row it lies."""
    return identity.partition("#")[0]


def evidence(numbers: Sequence[int], hits: Sequence[Hit]) -> list[Evidence]:
    """The hits of these numbers, each once, in order."""
    return [Evidence(hits[n].id, hits[n].text, hits[n].score) for n in dict.fromkeys(numbers)]


def plain(text: str) -> str:
    """The text on one line; its own marks, such as [12], look different from ours."""
    return _MARK.sub(r"(\1)", " ".join(text.split()))


def _told(sentence: Sentence, hits: Sequence[Hit]) -> str:
    """The sentence on one line; a table's row with the names of its columns."""
    told = cells(hits[sentence.hit].text, sentence.start, sentence.end)
    return plain(sentence.text if is_to_a_model(told) else told)


def _in_columns(sentence: Sentence, reading: Reading, words: Words) -> str:
    """What the columns of the sentence's row say of the question beside the sentence: a price, what it names."""
    hit = reading.hits[sentence.hit]
    if not is_row(hit):
        return ""
    asked = {term for term in reading.weight if term.isalpha()}

    def says(name: str, value: Json) -> bool:
        terms = set(words.terms(str(value)))
        return bool(asked & set(words.terms(name))) or bool(terms and terms <= reading.weight.keys())

    told = [
        f"{name}: {plain(str(value))}"
        for name, value in hit.columns.items()
        if _is_telling(value, hit)
        and str(value) not in sentence.text
        and (says(name, value) or is_price(reading.kind, name, value))
    ]
    return f" ({'; '.join(told)})" if told else ""


def _citation(n: int, sentence: Sentence, hits: Sequence[Hit]) -> Citation:
    text = hits[sentence.hit].text
    head = header_of(text, sentence.start)
    quote = text[head[1] if head else sentence.start : sentence.end]
    return Citation(n, hits[sentence.hit].id, quote)
