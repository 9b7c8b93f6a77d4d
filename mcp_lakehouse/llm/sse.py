"""Server-sent events: the data of each, out of bytes that come in any pieces."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from mcp_lakehouse.limits import MIB

EVENT_CHARS = 1 * MIB


def events(chunks: Iterable[bytes]) -> Iterator[str]:
    """The `data` of each event, its lines joined. An event that was not finished by an empty line is none.

    Raises `ValueError` for bytes that are not UTF-8, and for an event longer than `EVENT_CHARS`.
    """
    data: list[str] = []
    size = 0
    for line in _lines(chunks):
        if not line:
            if data:
                yield "\n".join(data)
            data, size = [], 0
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
            size += len(value)
        if size > EVENT_CHARS:
            raise ValueError("an event without end")


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines, ended by LF, CRLF or CR."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    held: list[str] = []
    size = 0
    for chunk in chunks:
        text = decoder.decode(chunk)
        held.append(text)
        size += len(text)
        if "\n" in text or "\r" in text or held[-2:-1] == ["\r"]:
            *lines, rest = _split("".join(held))
            yield from lines
            # The LF of a CRLF may still be on its way: the CR waits for it by itself.
            held = [rest.removesuffix("\r"), "\r"] if rest.endswith("\r") else [rest]
            size = len(rest)
        if size > EVENT_CHARS:
            raise ValueError("a line without end")


def _split(text: str) -> list[str]:
    """Lines, and what is left: a CR at the very end ends no line yet."""
    whole, ending = (text[:-1], "\r") if text.endswith("\r") else (text, "")
    lines = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines[-1] += ending
    return lines
