"""A text as sentences, each by where it starts and ends, so that what is quoted is exactly what stands there."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Where a sentence may end: its mark with closing quotes and brackets, then a gap; or CJK marks, which need no gap.
_END = re.compile(r"[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”）]*|\n")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|et al|cf|vs|etc|approx|ca|nos|fig|figs|eq|eqs|ref|refs|sec|ch"
    r"|nr|abs|art|bzw|usw|ggf|evtl|inkl|zzgl|vgl|str|tel|mio|mrd|env|vol|pp|ed|eds|dr|mr|mrs|ms|messrs|prof|capt|cmdr|lt|sgt|rev|hon|sr|jr|st|inc|ltd|co|corp|dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)$",
    re.IGNORECASE,
)
# A unit behind its number is none of them: "after 200 ms."
_UNIT = re.compile(r"\d ?[A-Za-z]{1,3}$")
# Of these, what never ends a sentence: a line that ends with one goes on in the next.
_GOES_ON = re.compile(
    r"(?:^|[\s(\[])(?:[a-z]|e\.g|i\.e|z\.b|d\.h|u\.a|cf|vs|approx|ca|nr|abs|art|bzw|inkl|zzgl|vgl|env|figs?|eqs?|refs?"
    r"|dr|mr|mrs|ms|prof)$",
    re.IGNORECASE,
)
# A day or an ordinal as German, Danish, Norwegian, Czech and others write it: "am 31. März", "im 2. Stock".
_DAY = re.compile(r"(?:^|[\s(–-])(?:[1-9]|[12]\d|3[01])$")
_ORDINAL = re.compile(
    r"\b(?:am|vom|zum|zur|bis|ab|seit|im|beim|der|die|das|den|dem|des|jede[rmns]?)"
    r" (?:\d{1,2}\. (?:und|bis|oder) )?\d{1,3}$",
    re.IGNORECASE,
)
# Not "May" and "March", which begin English sentences, and English puts no full stop behind a day.
_MONTH = re.compile(
    r"(?:Jan(?:uar|uary)?|Jänner|Feb(?:ruar|ruary)?|März?|Apr(?:il)?|Mai|Jun[ie]?|Jul[iy]?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|O[kc]t(?:ober)?|Nov(?:ember)?|De[zc](?:ember)?)\b"
)
# No sentence and no line of a list ends with these.
_UNFINISHED = re.compile(
    r"(?:,|\b(?:a|an|the|and|or|but|nor|of|in|on|at|to|for|from|with|without|by|as|than|that|which|who|whose|into|onto"
    r"|between|is|are|was|were|has|have|had|their|its|his|her|our|your|my))$"
)
_OF_A_DATE = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)(?: \d{1,2},?)?$"
)
_BLOCK_LINE = re.compile(r"[ \t]*(?:\||```|~~~)")
_BULLET = re.compile(r"\s*(?:[-*•·–]|\d{1,3}[.)]|[a-z][.)]|#{1,6})\s", re.IGNORECASE)
_SOFT_BREAK = re.compile(r"[;:]\s|,\s|\s")


def sentences(text: str, longest: int) -> list[tuple[int, int]]:
    """The spans (start, end) of the text's sentences in order, without the white space around them.

    A span of more than `longest` characters is cut at a pause of its own, or hard where there is none.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _raw(text):
        spans.extend(_cut(text, start, end, longest))
    return spans


def _raw(text: str) -> Iterator[tuple[int, int]]:
    wrapped, margin = _is_wrapped(text), _margin(text)
    start = 0
    for match in _END.finditer(text):
        if _ends(text, start, match, wrapped, margin):
            yield start, match.end()
            start = match.end()
    yield start, len(text)


def _ends(text: str, start: int, match: re.Match[str], wrapped: bool, margin: int) -> bool:
    """Whether a sentence that began at `start` ends with this mark."""
    after = text[match.end() : match.end() + 40]
    if match[0] == "\n":
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if not after.strip() or after.lstrip(" \t").startswith("\n") or _BULLET.match(after):
            return True
        # A row of a table, the edge of a code block and a heading stand on lines of their own.
        if _BLOCK_LINE.match(after) or _BLOCK_LINE.match(line) or line.startswith("#"):
            return True
        before = text[start : match.start()].rstrip()
        if before.endswith(".") and (_GOES_ON.search(before[-13:-1]) or _is_ordinal(before[:-1], after)):
            return False
        if before.endswith((".", "!", "?")) and not _ABBREVIATION.search(before[-13:-1]):
            return True
        if _UNFINISHED.search(before[-16:]) or (_OF_A_DATE.search(before[-12:]) and after.lstrip()[:1].isdigit()):
            return False
        # Whoever breaks lines at a margin breaks them where the next word does not fit.
        full = len(line) + 1 + len(after.split(maxsplit=1)[0]) > margin > 0
        return not (wrapped or full or after.lstrip()[:1].islower())
    following = after.lstrip()[:1]
    if match[0].startswith("."):
        before = text[start : match.start()]
        if (_ABBREVIATION.search(before[-12:]) and not _UNIT.search(before[-12:])) or before.strip().isdigit():
            return False
        if _is_ordinal(before, after):
            return False
        if before[-3:].lower().strip() == "no" and following.isdigit():
            return False
        # "slip . the results": a mark that stands alone ends a sentence even before a small letter.
        return not following.islower() or before[-1:].isspace()
    return not following.islower()


def _is_ordinal(before: str, after: str) -> bool:
    """Whether the full stop between these makes an ordinal of the number before it."""
    if _DAY.search(before[-3:]) and _MONTH.match(after.lstrip()):
        return True
    return _ORDINAL.search(before[-40:]) is not None


def _margin(text: str) -> int:
    """The widest line's length, where lines are as short as a margin makes them; else 0."""
    widest = max((len(line) for line in text.split("\n")), default=0)
    return widest if 40 <= widest <= 140 else 0


def _is_wrapped(text: str) -> bool:
    """Lines that all end near one margin were broken by a page, not by the writer."""
    lengths = [len(line) for line in text.split("\n") if line.strip()]
    if len(lengths) < 4:
        return False
    widest = sorted(lengths)[int(len(lengths) * 0.9)]
    near = sum(0.7 * widest <= length <= 1.15 * widest for length in lengths)
    return 40 <= widest <= 140 and near >= 0.6 * len(lengths)


def _cut(text: str, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    start, end = _trim(text, start, end)
    while end - start > longest:
        breaks = [match.end() for match in _SOFT_BREAK.finditer(text, start + longest // 2, start + longest)]
        middle = breaks[-1] if breaks else start + longest
        yield _trim(text, start, middle)
        start, end = _trim(text, middle, end)
    if start < end:
        yield start, end


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
