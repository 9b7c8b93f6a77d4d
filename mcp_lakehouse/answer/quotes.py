"""Finds a quote in its source, forgiving what copying changes, and gives back the source's own words."""

from __future__ import annotations

import unicodedata

_SAME = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
_SAME_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
# Soft hyphens, joiners without width, and what PDF readers put where a word was broken.
_UNSEEN = "\u00ad\u200b\u200c\u200d\ufeff\ufffe\x02"


def locate(quote: str, text: str) -> str | None:
    """The exact part of `text` that `quote` repeats, or `None`.

    White space, case, kinds of quotation marks and dashes, and a mark at the quote's end may differ;
    every letter and digit must be there in order.
    """
    if not quote.strip():
        return None
    if quote in text:
        return quote.strip()
    wanted, _ = _folded(quote)
    wanted = wanted.strip().strip("\"'").strip()
    source, origins = _folded(text)
    for attempt in (wanted, wanted.rstrip(".,;:!?…").rstrip()):
        at = source.find(attempt) if attempt else -1
        if at >= 0:
            return text[origins[at] : origins[at + len(attempt) - 1] + 1]
    return None


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in the form in which quotes compare, and for each of its characters where in the text it came from."""
    characters: list[str] = []
    origins: list[int] = []
    for position, character in enumerate(text):
        if character in _UNSEEN:
            continue
        if character.isspace():
            if characters and characters[-1] != " ":
                characters.append(" ")
                origins.append(position)
            continue
        folded = unicodedata.normalize("NFKC", character).translate(_SAME).translate(_SAME_DASHES).casefold()
        characters.extend(folded)
        origins.extend([position] * len(folded))
    return "".join(characters), origins
