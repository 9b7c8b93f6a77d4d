"""Which encoding text bytes are in. UTF-8 wherever it can be; a guess is always told to the user."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = "cp1252"
# Tried where most letters are beyond ASCII; on equal marks the earlier one is taken.
_OTHER_SCRIPTS = (
    "gb18030",
    "big5",
    "cp932",
    "euc_jp",
    "cp949",
    "cp1251",
    "koi8_r",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_SAMPLED_BYTES = 64 * 1024


def marked(head: bytes) -> str | None:
    """The encoding that a byte order mark, or the zeros of UTF-16 without one, shows; else `None`."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    half = len(head[:4096]) // 2
    even, odd = head[:4096:2].count(0), head[1:4096:2].count(0)
    if half >= 8 and odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    if half >= 8 and even > 0.6 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


@dataclass(slots=True)
class LineCensus:
    """Lines that are not ASCII, told apart by whether they are valid UTF-8. Feed it every line."""

    valid: int = 0
    invalid: int = 0
    sample: bytes = b""

    def add(self, line: bytes) -> None:
        """Count one line."""
        if line.isascii():
            return
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            self.invalid += 1
            if len(self.sample) < _SAMPLED_BYTES:
                self.sample += line
        else:
            self.valid += 1

    @property
    def legacy(self) -> bool:
        """Whether the whole text is in another encoding; if not, its invalid lines are damage in UTF-8.

        By chance a line of another encoding is valid UTF-8 very rarely.
        """
        return self.invalid > 0 and self.valid <= self.invalid * 0.02


def guess(sample: bytes) -> str:
    """The most likely encoding of bytes that are not UTF-8."""
    runs = [len(run) for run in _HIGH_RUN.findall(sample)]
    if sum(run for run in runs if run > 2) < 0.4 * sum(runs):
        # Accented letters among ASCII ones. Latin-1 is a part of this encoding in all printed characters.
        return _WESTERN
    from charset_normalizer import from_bytes

    # Short and repetitive texts look chaotic in any encoding, so the threshold is wide; the least chaos wins.
    matches = from_bytes(sample, cp_isolation=list(_OTHER_SCRIPTS), threshold=0.6)
    found = [match for match in matches if match.encoding in _OTHER_SCRIPTS]
    if not found:
        return _WESTERN
    least = min(match.chaos for match in found)
    close = [match for match in found if match.chaos <= least + 0.02]
    best = min(close, key=lambda match: (-round(match.coherence, 1), _OTHER_SCRIPTS.index(match.encoding)))
    return best.encoding


def decode(data: bytes) -> tuple[str, str]:
    """A document's text and the encoding it was in. Bytes that do not fit become U+FFFD."""
    name = marked(data[:4096])
    if name is None:
        try:
            return data.decode("utf-8"), "utf-8"
        except UnicodeDecodeError:
            census = LineCensus()
            for line in data.split(b"\n"):
                census.add(line)
            name = guess(census.sample) if census.legacy else "utf-8"
    return data.decode(name, "replace"), name
