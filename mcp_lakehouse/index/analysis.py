"""Words of a text as the keyword index counts them; the same for passages and queries.

Two steps: `prepare` folds characters and adds what a splitter at non-letters would miss; the library's splitter
then lower-cases, folds accents, drops English stop words and stems English.

- Identifiers: `getUserName`, `get_user_name` and `os.path.join` count as their parts and as one word without
  the separators, so that each spelling finds the others. Letters and digits part too (`OSHA10`).
- Scripts that do not write spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) count as overlapping
  pairs of characters, Chinese characters also each alone.
- Accents, vowel points and the like do not count; full-width and other compatibility forms count as the plain ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tantivy

ANALYSIS = "1"
"""Changes with every change of what a text's words are; an index of another version is made anew."""

# The library drops a term of more than 64 KiB; nobody types one of more than this.
_WORD_BYTES = 200

# Latin, Greek and Cyrillic accents; Hebrew points; Arabic vowel signs and the stretching line; Indic signs that
# the splitter would take for the end of a word; joiners without width.
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u093c\u094d\u09bc\u09cd\u0a3c\u0a4d\u0abc\u0acd\u0b3c\u0b4d\u0bcd\u0c4d\u0cbc\u0ccd\u0d4d\u0dca\u00ad\u200b-\u200d]"
)
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNSPACED = re.compile(
    f"[{_HAN}\u3005\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uac00-\ud7a3"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1780-\u17d3]+"
)
_ONE_HAN = re.compile(f"[{_HAN}]")

# What may hold an identifier, between spaces and brackets.
_PIECE = re.compile(r"[A-Za-z0-9_.:>-]+")
# A joint: a small letter before a capital, capitals before a capitalised word, or a letter beside a digit.
_JOINT = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]{2}|[A-Za-z][0-9]|[0-9][A-Za-z]")
_WORD = re.compile(r"[A-Za-z0-9]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Names joined by dots, colons or arrows, and names within which underscores join.
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:(?:\.|::|->)[A-Za-z_][A-Za-z0-9_]*)+")
_SNAKE = re.compile(r"[A-Za-z0-9]+(?:_+[A-Za-z0-9]+)+")
_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
# Longer ones are data, not names.
_IDENTIFIER_CHARS = 200
_KNOWN_WORDS = 100_000
_KNOWN_CHARS = 64


class Analyser:
    """Makes words of texts. May be shared by threads."""

    def __init__(self) -> None:
        import tantivy

        splitter = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        for step in (
            tantivy.Filter.remove_long(_WORD_BYTES),
            tantivy.Filter.lowercase(),
            tantivy.Filter.ascii_fold(),
            tantivy.Filter.stopword("english"),
            tantivy.Filter.stemmer("english"),
        ):
            splitter = splitter.filter(step)
        self.splitter: tantivy.TextAnalyzer = splitter.build()
        """The second step, to be registered with the index for prepared texts."""
        self._extra = _Extra()

    def prepare(self, text: str) -> str:
        """The text with characters folded and the extra words of identifiers and unspaced scripts in place."""
        if not text.isascii():
            text = _folded(text)
        extra = " ".join(filter(None, map(self._extra.__getitem__, text.split())))
        return f"{text} {extra}" if extra else text

    def words(self, text: str) -> list[str]:
        """The words of a text, in no order that means anything, each as often as it counts."""
        return list(self.splitter.analyze(self.prepare(text)))


class _Extra(dict[str, str]):
    """What to add for a word. Texts repeat their words: remembered, this costs a tenth."""

    def __missing__(self, word: str) -> str:
        extra = " ".join(_extra(word))
        if len(word) <= _KNOWN_CHARS:
            if len(self) >= _KNOWN_WORDS:
                self.clear()
            self[word] = extra
        return extra


def _folded(text: str) -> str:
    # Half of a surrogate pair has no bytes; it cannot be part of a word.
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFKD", text)))
    return _UNSPACED.sub(_pairs, text)


def _extra(word: str) -> Iterator[str]:
    for piece in _PIECE.findall(word):
        if len(piece) > _IDENTIFIER_CHARS:
            continue
        for part in _WORD.findall(piece):
            if _JOINT.search(part):
                yield from _PARTS.findall(part)
        for path in _PATH.findall(piece):
            yield _SEPARATORS.sub("", path)
        for snake in _SNAKE.findall(piece):
            yield _SEPARATORS.sub("", snake)


def _pairs(match: re.Match[str]) -> str:
    run = match[0]
    if len(run) == 1:
        return f" {run} "
    pairs = (run[at : at + 2] for at in range(len(run) - 1))
    return f" {' '.join((*pairs, *_ONE_HAN.findall(run)))} "
