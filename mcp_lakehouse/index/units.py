"""Takes a text apart into units that passages are made of: sentences, lines of code, pieces of endless ones.

Each unit says how bad it would be to begin a passage with it: a heading or a top-level function is where one
should begin, the middle of a word where none should.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Unit = tuple[int, int, int, float]
"""Start and end in characters (with the space that follows), estimated tokens, how bad a cut its start is."""

SECTION, PARAGRAPH, SENTENCE, LINE, WORD, NEVER = 0.0, 1.0, 2.0, 3.0, 4.0, 6.0
UNIT_TOKENS = 64

_TOKEN = re.compile(r"[^\W\d_]{1,7}|\d{1,3}|[^\w\s]|_|\s{32}")
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_PIECE = re.compile(r"\S{1,32}\s{0,32}|\s{1,32}")
_CLAUSE = frozenset(",;:)]}、，；：\n")

_FENCES = ("```", "~~~")
_HEADING = re.compile(r" {0,3}#{1,6}\s+\S")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})\s*$")
_ITEM = re.compile(r"\s*(?:[-*+•|]|\d{1,3}[.)])\s")

_CODE = re.compile(
    r"[;{}]\s*$|^\s*[)\]}]+[;,)]*\s*$|^\s*(?:@\w|#include|#define|//|/\*|\*/|import\s+[\w.{]|from\s+[\w.]+\s+import\b"
    r"|(?:async\s+)?def\s+\w+\(|class\s+\w+.*[:{]\s*$|(?:export|public|private|protected|static|const|let|var|func|fn"
    r"|pub|impl|struct|enum|namespace|package|using)\s+\w|(?:if|elif|for|while|with|try|else|except)\b.*:\s*$"
    r"|return\b)|^\s*[\w.\[\]\"']+\s*[-+*/|]?=[^=]|\w\([^()]*\)\s*[:{]?\s*$"
)
_CODE_SHARE = 0.4
_CODE_LINES = 400
_CODE_LINE_CHARS = 300
# Lines that belong to the next one: decorators, comments.
_LEADING = re.compile(r"\s*(?:@\w|#\[|#\s|//|/\*|\*|--\s)")
# Lines that belong to the one before.
_CLOSING = re.compile(r"\s*(?:[)\]}]|(?:end|else|elif|except|finally|catch|then|do|fi|done|esac)\b|\*/)")

_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？｡][」』”’）》]*\s*")
_ABBREVIATIONS = frozenset(
    "al approx art cf ch co corp dept dr ed eds eq eqs esp est etc ex fig figs gen gov inc jr lt ltd mr mrs ms mt no "
    "nos nr op p pp prof ref refs rep rev sec sect sen sgt sr st tab vol vols vs jan feb mar apr jun jul aug sep sept "
    "oct nov dec mon tue wed thu fri sat sun bzw ca usw z".split()
)
_ABBREVIATION_CHARS = 16


def estimate(text: str) -> int:
    """About how many tokens a model makes of a text: one for up to seven letters, three digits, or another character.

    In scripts without spaces every character is one.
    """
    return len(_TOKEN.findall(text if text.isascii() else _UNSPACED.sub(".", text)))


def units(text: str, start: int, end: int) -> Iterator[Unit]:
    """The stretch, which begins with no space, as units of at most about `UNIT_TOKENS`, in order and without gaps."""
    lines = text[start:end].splitlines(keepends=True)
    code = _is_code(lines)
    starts = list(_code_starts(lines, start) if code else _Prose(text).starts(lines, start))
    for (at, cut), (following, _) in zip(starts, [*starts[1:], (end, 0.0)], strict=True):
        unit = text[at:following]
        tokens = estimate(unit)
        if tokens <= UNIT_TOKENS:
            yield at, following, tokens, cut
        else:
            yield from _pieces(unit, at, cut)


def _pieces(unit: str, offset: int, cut: float) -> Iterator[Unit]:
    """An endless unit in pieces, cut after clauses or between words if it has any."""
    start, tokens, before = 0, 0, ""
    for match in _PIECE.finditer(unit):
        more = estimate(match[0])
        clause = before.rstrip()[-1:] in _CLAUSE
        if tokens and (tokens + more > UNIT_TOKENS or (clause and tokens > UNIT_TOKENS // 2)):
            yield offset + start, offset + match.start(), tokens, cut
            cut = LINE if clause else WORD if before[-1:].isspace() else WORD + 1
            start, tokens = match.start(), 0
        tokens += more
        before = match[0]
    yield offset + start, offset + len(unit), tokens, cut


def _is_code(lines: Sequence[str]) -> bool:
    seen = [line for line in lines[:_CODE_LINES] if 1 < len(line) <= _CODE_LINE_CHARS and not line.isspace()]
    return len(seen) > 2 and sum(_CODE.search(line) is not None for line in seen) >= _CODE_SHARE * len(seen)


def _code_starts(lines: Sequence[str], at: int) -> Iterator[tuple[int, float]]:
    """A unit for each line that is not blank. A block begins after a blank line or a deeper one."""
    blank, depth, leading = False, 0, False
    for line in lines:
        if line.isspace():
            blank = True
        else:
            now = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
            block = blank or now < depth
            attached = leading or _CLOSING.match(line) is not None
            yield at, NEVER if attached else _code_cut(now, block)
            blank, depth, leading = False, now, _LEADING.match(line) is not None
        at += len(line)


def _code_cut(depth: int, block: bool) -> float:
    if block:
        return SECTION if depth == 0 else PARAGRAPH if depth <= 4 else SENTENCE
    return SENTENCE + 0.5 if depth == 0 else LINE


class _Prose:
    """Sentences of paragraphs, list items, table rows and headings, and lines of fenced code."""

    def __init__(self, text: str) -> None:
        self._text = text
        # Where there are no capitals, a sentence cannot be told to begin with one.
        self._lower = text.islower()
        self._cut = PARAGRAPH

    def starts(self, lines: Sequence[str], at: int) -> Iterator[tuple[int, float]]:
        """Where units begin; `at` is where the lines do, in characters of the text."""
        began: int | None = None
        fenced: list[str] | None = None
        for line in lines:
            end = at + len(line)
            fence = line.lstrip()[:3] in _FENCES
            if fenced is not None:
                fenced.append(line)
                if fence:
                    yield from self._code(fenced, end)
                    fenced = None
            elif began is not None and _UNDERLINE.match(line) and "\n" not in self._text[began : at - 1]:
                yield began, SECTION
                began, self._cut = None, NEVER
            elif fence or line.isspace() or _HEADING.match(line) or _ITEM.match(line):
                if began is not None:
                    yield from self._sentences(began, at)
                began = None
                if fence:
                    fenced = [line]
                elif _HEADING.match(line):
                    yield at, SECTION
                    self._cut = NEVER
                elif not line.isspace():
                    began, self._cut = at, max(self._cut, SENTENCE)
            elif began is None:
                began = at
            at = end
        if fenced is not None:
            yield from self._code(fenced, at)
        if began is not None:
            yield from self._sentences(began, at)

    def _code(self, lines: Sequence[str], end: int) -> Iterator[tuple[int, float]]:
        """A fence with what is in it: kept with what introduces it where there is room."""
        at = end - sum(map(len, lines))
        yield at, max(self._cut, SENTENCE)
        self._cut = PARAGRAPH
        inner = _code_starts(lines[1:], at + len(lines[0]))
        for number, (start, cut) in enumerate(inner):
            closing = start + len(lines[-1]) == end
            yield start, NEVER if number == 0 or closing else max(cut, PARAGRAPH)

    def _sentences(self, start: int, end: int) -> Iterator[tuple[int, float]]:
        yield start, self._cut
        self._cut = PARAGRAPH
        for match in _END.finditer(self._text, start, end):
            if match.end() < end and self._ends(start, match):
                yield match.end(), SENTENCE
                start = match.end()

    def _ends(self, start: int, match: re.Match[str]) -> bool:
        """Whether a sentence ends here: not after an abbreviation, an initial or a number of a list."""
        text = self._text
        if match[0][0] != ".":
            return not text[match.end()].islower() or self._lower or match[0][0] in "。！？｡"
        before = text[max(start, match.start() - _ABBREVIATION_CHARS) : match.start()]
        if before[-1:].isspace():
            return True
        word = before.split()[-1].lstrip("([\"'“‘").lower() if before.strip() else ""
        if text[match.end()].islower() and not self._lower:
            return False
        if len(word) == 1 and word.isalpha() and before[-1].isupper():
            return False
        return word not in _ABBREVIATIONS and "." not in word and not (word.isdigit() and len(before) <= 3)
