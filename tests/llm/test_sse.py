"""Server-sent events, however their bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_lakehouse.llm.sse import EVENT_CHARS, events

STREAM = b"\xef\xbb\xbfdata: one\n\n: comment\r\nevent: x\r\ndata:two\r\ndata: zw\xc3\xb6lf\r\n\r\nid: 3\rdata:  three\r\r\n\ndata: never ended"


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_cuts_change_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(places)]
    assert list(events(chunks)) == ["one", "two\nzwölf", " three"]


def test_byte_by_byte() -> None:
    assert list(events(bytes([byte]) for byte in STREAM)) == ["one", "two\nzwölf", " three"]


@pytest.mark.parametrize("line", [b"data: " + b"x" * 1000, b"data: " + b"x" * 999 + b"\n"], ids=["line", "event"])
def test_what_never_ends_is_an_error(line: bytes) -> None:
    endless = (line for _ in range(EVENT_CHARS // 900))
    with pytest.raises(ValueError, match="without end"):
        list(events(endless))


def test_bytes_that_are_no_text_are_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(events([b"data: \xff\n\n"]))
