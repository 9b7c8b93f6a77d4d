"""The text of a PDF, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mcp_lakehouse.errors import UnreadableSource
from mcp_lakehouse.ingest.engine import Job

# Where a word was divided at the end of a line, the library leaves one of these.
_DIVIDED = re.compile("[\x02\ufffe\u00ad]\n?")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f]")


def pdf_parts(job: Job, path: Path, name: str) -> Iterator[tuple[int | None, str | None, str]]:
    """Page number (from 1) and text. Raises `UnreadableSource` if it is encrypted, damaged, or has only images."""
    import pypdfium2  # type: ignore[import-untyped]  # it has no types

    try:
        document = pypdfium2.PdfDocument(str(path))
    except pypdfium2.PdfiumError as error:
        raise _unreadable(name, str(error)) from None
    without: list[int] = []
    try:
        count = len(document)
        for number in range(1, count + 1):
            text = _page_text(document, number)
            if text.strip():
                yield number, None, text
            else:
                without.append(number)
    finally:
        document.close()
    if len(without) == count:
        raise UnreadableSource(
            f"{name} has no text on any of its {count} pages: it holds images only",
            hint="run it through OCR (text recognition) first, then load the result",
        )
    if without:
        shown = ", ".join(map(str, without[:20])) + (" …" if len(without) > 20 else "")
        job.note(f"{name}: no text on pages {shown} (images, or blank)")


def _page_text(document: object, number: int) -> str:
    import pypdfium2

    assert isinstance(document, pypdfium2.PdfDocument)
    try:
        page = document[number - 1]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        # One damaged page does not spoil the others; it is told as a page without text.
        return ""
    try:
        text: str = text_page.get_text_bounded()
    finally:
        text_page.close()
        page.close()
    return _CONTROLS.sub("", _DIVIDED.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def _unreadable(name: str, message: str) -> UnreadableSource:
    if "password" in message.lower():
        return UnreadableSource(f"{name} is encrypted: it opens only with a password", hint="save it without one")
    return UnreadableSource(f"{name} is not a readable PDF (damaged or cut off)", hint="fetch or export it again")
