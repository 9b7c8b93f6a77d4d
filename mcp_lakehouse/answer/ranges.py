"""Rows of a table that hold for a range ("2 to 5 years", "over 30 kg"), and whether the question's amount is in it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

_WORDS = {
    word: float(value)
    for value, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
}
_NUMBER = rf"(?:\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?|\b(?:{'|'.join(_WORDS)})\b)"
_UNIT = r"[A-Za-z%°€$£²³]+"
_ASKED = re.compile(rf"(?<![\w.-])(?P<value>{_NUMBER})[ -]?(?P<unit>{_UNIT})(?:[ -](?P<next>{_UNIT}))?", re.IGNORECASE)
_BETWEEN = re.compile(
    rf"(?<![\w.-])(?P<low>{_NUMBER})\s?(?:{_UNIT}\s?)?(?:-|–|to|and)\s?(?P<high>{_NUMBER})(?![\d:])", re.IGNORECASE
)
_ABOVE = re.compile(
    rf"(?:\b(?:over|above|more than|longer than|older than|from|at least|beyond|exceeding|after)\b|[>≥])\s?"
    rf"(?P<low>{_NUMBER})|(?<![\w.-])(?P<least>{_NUMBER})\s?(?:\+|(?:{_UNIT} )?(?:and|or) (?:more|over|above|older))",
    re.IGNORECASE,
)
_BELOW = re.compile(
    rf"(?:\b(?:under|below|less than|younger than|up to|at most|within|fewer than)\b|[<≤])\s?(?P<high>{_NUMBER})"
    rf"|(?<![\w.-])(?P<most>{_NUMBER})\s?(?:{_UNIT} )?(?:and|or) (?:less|under|below|fewer|younger)",
    re.IGNORECASE,
)
# Of a unit so many letters tell: "year", "years", "yearly".
_LETTERS = 4


def outside(question: str, row: str) -> bool:
    """Whether the row has a range in a unit of the question's, and the question's amount lies in none of them.

    `row`: its cells as "name: value; name: value". A unit may stand in the name.
    """
    for match in _ASKED.finditer(question):
        units = [each[:_LETTERS].lower() for each in (match["unit"], match["next"]) if each]
        value = _value(match["value"])
        ranges = [
            found
            for cell in row.split(";")
            if any(re.search(rf"(?<![a-z]){re.escape(unit)}", cell.lower()) for unit in units)
            for found in _ranges(cell)
        ]
        if ranges:
            return not any(low <= value <= high for low, high in ranges)
    return False


def _ranges(cell: str) -> Iterator[tuple[float, float]]:
    between = list(_BETWEEN.finditer(cell))
    if between:
        yield from ((_value(match["low"]), _value(match["high"])) for match in between)
        return
    for match in _ABOVE.finditer(cell):
        yield _value(match["low"] or match["least"]), math.inf
    for match in _BELOW.finditer(cell):
        yield -math.inf, _value(match["high"] or match["most"])


def _value(text: str) -> float:
    return _WORDS[text.lower()] if text.lower() in _WORDS else float(text.replace(",", ""))
