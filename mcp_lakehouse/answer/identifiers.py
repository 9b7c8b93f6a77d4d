"""Codes in a question, such as E42, HX-3102 or Series 6: an answer about one stands where the very code does. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcp_lakehouse.records import Hit

_WORD = re.compile(r"[^\W_]+(?:[-_./:#][^\W_]+)*")
_PARTS = re.compile(r"[^\W\d_]+|\d+")
# Letters before digits that make no code: "mid-2019".
_OF_TIME = frozenset("mid pre post early late since circa ca anno fy".split())
_GAP = r"[\W_]{0,2}"
# A name with a number: a model, a version, a section. What begins a question has its capital from there.
_NUMBERED = re.compile(r"(?<=[\w,] )([A-Z]\w+) (\d{1,4})(?![\w.,:/-]*\d)")
_CALENDAR = frozenset(
    """january february march april may june july august september october november december jan feb mar apr jun jul
    aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday""".split()
)


def identifiers(question: str) -> list[str]:
    """The codes of a question as it spells them, each once.

    A code has letters and digits and begins with a letter; what begins with a digit is a measure (10kg, 3rd, 2-year).
    A name may have its number behind it (Series 6).
    """
    numbered = [match[0] for match in _NUMBERED.finditer(question) if match[1].lower() not in _CALENDAR]
    found = [word for word in _WORD.findall(question) if word[0].isalpha() and any(c.isdigit() for c in word)]
    codes = [word for word in found if _PARTS.findall(word)[0].lower() not in _OF_TIME]
    return list(dict.fromkeys([*codes, *numbered]))


def pattern_of(identifier: str) -> re.Pattern[str]:
    """Finds the code however its parts are joined (OSHA-10, OSHA 10, osha10), and no longer one that begins so."""
    parts = _GAP.join(re.escape(part) for part in _PARTS.findall(identifier))
    return re.compile(rf"(?<![^\W_]){parts}(?![^\W_])", re.IGNORECASE)


def other_codes(question: str, hits: Sequence[Hit]) -> bool:
    """Whether the hits hold codes like one of the question's (E10, E42 where E99 is asked about) but not that one."""
    texts = [_all_of(hit) for hit in hits]
    return any(_found(_like(each), texts) and not _found(pattern_of(each), texts) for each in identifiers(question))


def with_codes(question: str, hits: Sequence[Hit]) -> frozenset[int]:
    """The hits that stand in a row or document which holds one of the question's codes; all where none does."""
    patterns = [pattern_of(each) for each in identifiers(question)]
    of_source: dict[str, set[int]] = {}
    for number, hit in enumerate(hits):
        of_source.setdefault(_source_of(hit), set()).add(number)
    held = [
        numbers
        for numbers in of_source.values()
        if any(_found(pattern, [_all_of(hits[n]) for n in numbers]) for pattern in patterns)
    ]
    return frozenset().union(*held) if held else frozenset(range(len(hits)))


def _source_of(hit: Hit) -> str:
    """What a hit is a part of: its document, or its row."""
    source = hit.columns.get("source")
    return f"{hit.dataset} {source}" if source else hit.id.partition("#")[0]


def _like(identifier: str) -> re.Pattern[str]:
    """Finds codes with the same letters."""
    parts = (r"\d+" if part.isdigit() else re.escape(part) for part in _PARTS.findall(identifier))
    return re.compile(rf"(?<![^\W_]){_GAP.join(parts)}(?![^\W_])", re.IGNORECASE)


def _found(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return any(pattern.search(text) for text in texts)


def _all_of(hit: Hit) -> str:
    return "\n".join((hit.title, hit.text, *(str(value) for value in hit.columns.values() if value is not None)))
