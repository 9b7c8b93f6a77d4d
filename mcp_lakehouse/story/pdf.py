"""A small PDF writer: plain text on pages, in Helvetica, for letters of Windows-1252."""

from __future__ import annotations

import textwrap

_PAGE = (612, 792)
_MARGIN, _SIZE, _LEADING = 60, 10.5, 14
_LINES = (_PAGE[1] - 2 * _MARGIN) // _LEADING
# So many letters of usual text fit between the margins; Helvetica's are about half as wide as high.
_COLUMNS = 88
_FIRST_PAGE = 5


def pdf(text: str, title: str) -> bytes:
    """A PDF of this text; its first line is bold, long lines are folded. Letters outside Windows-1252 become `?`."""
    # A line that ends in a hyphen would read as a word divided there.
    fold = textwrap.TextWrapper(_COLUMNS, break_on_hyphens=False)
    lines = [part for line in text.splitlines() for part in fold.wrap(line) or [""]]
    pages = [lines[at : at + _LINES] for at in range(0, len(lines), _LINES)] or [[]]
    kids = " ".join(f"{_FIRST_PAGE + 2 * number} 0 R" for number in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>".encode("ascii"),
        font.format("Helvetica").encode("ascii"),
        font.format("Helvetica-Bold").encode("ascii"),
    ]
    for number, page in enumerate(pages):
        content = _content(page, bold_first=number == 0)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {_PAGE[0]} {_PAGE[1]}] "
            "/Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> "
            f"/Contents {_FIRST_PAGE + 2 * number + 1} 0 R >>".encode("ascii")
        )
        objects.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    objects.append(b"<< /Title %b /Producer (mcp-lakehouse) >>" % _string(title))
    return _file(objects)


def _content(lines: list[str], *, bold_first: bool) -> bytes:
    parts = [b"BT", b"%d TL" % _LEADING, b"%d %d Td" % (_MARGIN, _PAGE[1] - _MARGIN)]
    for number, line in enumerate(lines):
        bold = bold_first and number == 0
        parts += [b"/F%d %b Tf" % (2 if bold else 1, str(_SIZE).encode("ascii")), _string(line) + b" Tj", b"T*"]
    return b"\n".join([*parts, b"ET"])


def _string(text: str) -> bytes:
    letters = text.encode("cp1252", "replace")
    return b"(" + letters.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)") + b")"


def _file(objects: list[bytes]) -> bytes:
    """The objects with the table of where each begins; the last one is the document's information."""
    # The second line tells programs that this is not text.
    written = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    begin = len(written)
    written += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    written += b"".join(b"%010d 00000 n \n" % place for place in places)
    written += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    return bytes(written + b"startxref\n%d\n%%%%EOF\n" % begin)
