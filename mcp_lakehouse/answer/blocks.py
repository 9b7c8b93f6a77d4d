"""What Markdown builds of lines: code blocks and tables, and which of their lines say something."""

from __future__ import annotations

import re

_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_FENCES = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")


def is_frame(text: str, start: int, end: int) -> bool:
    """Whether [start, end) only frames others: the edge of a code block, a table's header or the rule below it."""
    piece = text[start:end]
    if _FENCE.match(piece) or _RULE.match(piece):
        return True
    return "|" in piece and _RULE.match(_line(text, end + 1)) is not None


def is_code(text: str, start: int) -> bool:
    """Whether `start` lies in a code block."""
    return len(_FENCES.findall(text, 0, start)) % 2 == 1


def header_of(text: str, start: int) -> tuple[list[str], int] | None:
    """The column names of the table whose row begins at `start`, empty ones too, and where the row's quote begins.

    That is the header's line if the row is the first below it, else `start`. `None` where it is no such row.
    """
    if not _line(text, start).lstrip().startswith("|"):
        return None
    lines = text[:start].split("\n")
    if lines.pop().strip():
        return None
    for above, line in enumerate(reversed(lines)):
        if _RULE.match(line):
            header = lines[-above - 2] if len(lines) > above + 1 else ""
            names = [name.strip() for name in header.strip().strip("|").split("|")]
            begins = (
                start
                if above
                else start - len(line) - len(header) - 2 - (len(text[:start]) - text.rfind("\n", 0, start) - 1)
            )
            return (names, begins) if header.count("|") else None
        if not line.lstrip().startswith("|"):
            return None
    return None


def cells(text: str, start: int, end: int) -> str:
    """The row of a table in [start, end) as its columns' names and values; any other text as it stands."""
    head = header_of(text, start)
    values = [value.strip() for value in text[start:end].strip().strip("|").split("|")]
    if head is None or len(head[0]) != len(values):
        return text[start:end]
    named = zip(head[0], values, strict=True)
    return "; ".join(f"{name}: {value}" if name else value for name, value in named if value)


def _line(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : end if end >= 0 else len(text)]
