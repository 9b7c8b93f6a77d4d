"""Give every PIVOT without an IN list one, so that the parser yields a single tree that can be checked."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What DuckDB's parser takes for a space, while its tokenizer makes it part of a name (measured on 2.0.0).
_WIDE_SPACES = re.compile("[\u00a0\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]+")
_ENDS = frozenset(
    ("using", "group", "order", "limit", "offset", "union", "except", "intersect", "qualify", "window", ",", ")", ";")
)


def with_static_lists(statement: str, tokens: list[tuple[int, str]]) -> str:
    """The statement with `IN (0)` behind each ON expression of a PIVOT that has none, and without comments.

    `tokens` are (start, kind) in order, as DuckDB's tokenizer gives them; starts count UTF-8 bytes.
    """
    out: list[str] = []
    depth = 0
    pivots: list[_Pivot] = []
    for word in [*_words(statement, tokens), ";"]:
        lower = word.lower()
        if pivots and depth == pivots[-1].depth and pivots[-1].start is not None and lower in _ENDS:
            pivots[-1].finish(out)
            if lower == ",":
                pivots[-1].start = len(out) + 1
            else:
                pivots.pop()
        depth += {"(": 1, ")": -1}.get(word, 0)
        if lower in ("pivot", "pivot_wider"):
            pivots.append(_Pivot(depth))
        elif pivots and depth == pivots[-1].depth:
            pivots[-1].note(lower, len(out) + 1)
        out.append(word)
    return " ".join(out[:-1])


@dataclass(slots=True)
class _Pivot:
    """A PIVOT that is being read: its parenthesis depth, where its current ON expression starts."""

    depth: int
    start: int | None = None
    has_list: bool = False

    def note(self, word: str, position: int) -> None:
        if word == "on" and self.start is None:
            self.start = position
        elif word == "in":
            self.has_list = True

    def finish(self, out: list[str]) -> None:
        """Close the ON expression that ends here; one without a list gets its own."""
        if not self.has_list and self.start is not None:
            # The grammar wants an expression with operators in parentheses before IN.
            out[self.start :] = ["(", *out[self.start :], ")", "IN (0)"]
        self.has_list = False


def _words(statement: str, tokens: list[tuple[int, str]]) -> list[str]:
    data = statement.encode()
    words: list[str] = []
    for index, (start, kind) in enumerate(tokens):
        if kind == "comment":
            continue
        end = tokens[index + 1][0] if index + 1 < len(tokens) else len(data)
        text = data[start:end].decode().strip()
        if kind == "operator":
            words.extend(_split_operator(text))
        elif kind == "identifier" and not text.startswith('"'):
            words.extend(word for word in _WIDE_SPACES.split(text) if word)
        elif text:
            words.append(text)
    return words


def _split_operator(text: str) -> list[str]:
    """Parentheses, commas and semicolons one by one; other operator characters stay together."""
    return re.findall(r"[(),;]|[^(),;\s]+", text)
