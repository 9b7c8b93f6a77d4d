"""Cuts a text into passages: whole sentences, paragraphs, sections and functions, as far as the size allows.

The text is taken apart into units (sentences of prose, lines of code; pieces of either where one is endless).
Each unit knows how good a place its start is for a cut. A passage takes units up to about `TARGET_TOKENS`, and
ends at the best cut nearby; the next begins up to `OVERLAP_TOKENS` earlier, unless a section or a function
begins there.

Tokens are estimated, not counted (`units.estimate`): that costs no model and is the same for every embedder, so
that one set of passages serves them all.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from mcp_lakehouse.index.units import SECTION, WORD, Unit, estimate, units

CHUNKING = "1"
"""Changes with every change of where passages are cut."""

TARGET_TOKENS = 200
OVERLAP_TOKENS = 50
MOST_TOKENS = 256
_LEAST_TOKENS = 50
# One step of a better cut is worth straying from the target by so many tokens.
_STEP_TOKENS = 50

_SPACE = re.compile(r"\s*")


def spans(text: str) -> list[tuple[int, int]]:
    """Where the passages of a text begin and end, in characters: in order, none empty, covering all but space.

    A text of up to `MOST_TOKENS` is one passage; a text of space alone has none.
    """
    start, end = _trimmed(text, 0, len(text))
    if start == end:
        return []
    # No token is shorter than a character, so a short text needs no estimate.
    if end - start <= MOST_TOKENS or estimate(text[start:end]) <= MOST_TOKENS:
        return [(start, end)]
    found: list[tuple[int, int]] = []
    for first, last in _packed(list(units(text, start, end))):
        span = _trimmed(text, first, last)
        # A stretch of space may fill a passage, or all of it beyond the one before.
        if not found or span[1] > found[-1][1]:
            found.append(span)
    return found


def _packed(parts: list[Unit]) -> Iterator[tuple[int, int]]:
    """Passages from their units, with the space around them."""
    upto = [0, *accumulate(unit[2] for unit in parts)]
    first = 0
    while upto[-1] - upto[first] > MOST_TOKENS:
        last = _best_end(parts, upto, first)
        yield parts[first][0], parts[last][0]
        first = _overlapping(parts, upto, first, last)
    yield parts[first][0], parts[-1][1]


def _best_end(parts: list[Unit], upto: list[int], first: int) -> int:
    """The unit before which the passage ends."""
    best = max(first + 1, bisect_left(upto, upto[first] + _LEAST_TOKENS))
    least = float("inf")
    for last in range(best, len(parts)):
        tokens = upto[last] - upto[first]
        if tokens > MOST_TOKENS:
            break
        badness = parts[last][3] + abs(tokens - TARGET_TOKENS) / _STEP_TOKENS
        if badness <= least:
            best, least = last, badness
    return best


def _overlapping(parts: list[Unit], upto: list[int], first: int, last: int) -> int:
    """The unit with which the next passage begins: the first good one within the overlap, else `last`."""
    if parts[last][3] <= SECTION:
        return last
    earliest = max(first + 1, bisect_left(upto, upto[last] - OVERLAP_TOKENS))
    return next((at for at in range(earliest, last) if parts[at][3] < WORD), last)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch without the space around it."""
    begins = _SPACE.match(text, start, end)
    start = begins.end() if begins else start
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
