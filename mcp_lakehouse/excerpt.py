"""Which part of a long text to show to whoever asked for something. Pure."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
# Words that begin alike are taken for one: "operators" for "operator".
_ALIKE_CHARS = 5
# How much of the window lies before the first match.
_LEAD_SHARE = 6
# A window may shrink by so much to begin and end between words.
_EDGE_CHARS = 20
_WORDS_LOOKED_AT = 64


def window(text: str, query: str, chars: int) -> tuple[int, int]:
    """Start and end of the stretch of at most `chars` characters that holds most of a query's words.

    The first such one; the beginning of the text where it holds none of them.
    """
    if len(text) <= chars:
        return 0, len(text)
    wanted = {_alike(word): len(word) for word in _WORD.findall(query)[:_WORDS_LOOKED_AT]}
    found = [(each.start(), each.end(), _alike(each[0])) for each in _WORD.finditer(text)]
    found = [each for each in found if each[2] in wanted]
    start = max(0, _best_place(found, wanted, chars) - chars // _LEAD_SHARE) if found else 0
    start = min(start, len(text) - chars)
    return _between_words(text, start, start + chars)


def _best_place(found: list[tuple[int, int, str]], wanted: dict[str, int], chars: int) -> int:
    """Where the stretch begins whose words weigh most; long words tell more than short ones."""
    reach = chars - chars // _LEAD_SHARE
    inside: dict[str, int] = {}
    best, place, last, weight = -1, 0, 0, 0
    for first, (start, _, _) in enumerate(found):
        while last < len(found) and found[last][1] <= start + reach:
            word = found[last][2]
            weight += 0 if inside.get(word) else wanted[word]
            inside[word] = inside.get(word, 0) + 1
            last += 1
        if weight > best:
            best, place = weight, start
        if last > first:
            word = found[first][2]
            inside[word] -= 1
            weight -= 0 if inside[word] else wanted[word]
        else:
            last = first + 1
    return place


def _between_words(text: str, start: int, end: int) -> tuple[int, int]:
    if start > 0:
        space = text.find(" ", start - 1, start + _EDGE_CHARS)
        start = start if space < 0 else space + 1
    if end < len(text):
        space = text.rfind(" ", end - _EDGE_CHARS, end + 1)
        end = end if space <= start else space
    return start, end


def _alike(word: str) -> str:
    return word.casefold()[:_ALIKE_CHARS]
