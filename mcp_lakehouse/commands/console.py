"""How the command line speaks: data on stdout, everything else on stderr, one shape of error."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TextIO

from mcp_lakehouse.commands.wording import in_commands

_RED, _CYAN = "31", "36"
# Controls, lone surrogates, line and paragraph separators; and the characters that turn the writing direction.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def say(text: str = "") -> None:
    """A line for the person, on stderr."""
    print(text, file=sys.stderr, flush=True)


def tell_error(message: str, *, hint: str | None = None) -> None:
    """`error: …` and `hint: …`, on stderr."""
    say(f"{_styled('error', _RED)}: {printable(message, lines=True)}")
    if hint:
        say(f"{_styled('hint', _CYAN)}: {printable(in_commands(hint), lines=True)}")


def counted(number: int, what: str) -> str:
    """A number with its noun, as in `1 row` and `2,000 rows`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def printable(text: str, *, lines: bool = False) -> str:
    """Text from elsewhere with its control characters escaped: it must not drive the terminal."""
    if text.isprintable():
        return text
    return "".join(character if _harmless(character, lines) else _escaped(character) for character in text)


def colourful(stream: TextIO) -> bool:
    """Whether a stream is a terminal that may be coloured."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _harmless(character: str, lines: bool) -> bool:
    if lines and character in "\n\t":
        return True
    return unicodedata.category(character) not in _UNPRINTABLE and character not in _TURNING


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _styled(word: str, colour: str) -> str:
    return f"\x1b[1;{colour}m{word}\x1b[0m" if colourful(sys.stderr) else word
