"""Which format a file has: by its name's ending, checked against its first bytes."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import PurePath
from typing import BinaryIO

from mcp_lakehouse.errors import UnreadableSource

BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".psv": "csv",
    ".json": "json",
    ".geojson": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".pdf": "pdf",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
}
COMPRESSED_SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
DELIMITED = frozenset({"csv", "tsv"})
JSON_FORMATS = frozenset({"json", "ndjson"})
TABLES = frozenset({"csv", "tsv", "json", "ndjson", "parquet", "arrow", "excel"})
DOCUMENTS = frozenset({"pdf", "markdown", "html", "text"})
# Parsed whole in memory, so their size is limited.
IN_MEMORY = DOCUMENTS | {"excel"}
TEXTUAL = frozenset({"csv", "tsv", "json", "ndjson", "markdown", "html", "text"})
KNOWN = "csv, tsv, json, ndjson, parquet, arrow, xlsx/xls/ods, pdf, md, html, txt (and .gz of the text ones)"
HEAD_BYTES = 64 * 1024

_BINARY = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "excel"),
)
_FOREIGN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a]")
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
# What hardly any delimited text begins with: an object with its first key, or an array of objects.
_JSON_START = re.compile(r'[\ufeff\s]*(\{\s*"[^"]*"\s*:|\[\s*\{)')
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


def suffix_of(name: str) -> str:
    """A name's ending in lower case, without `.gz` or `.zst`."""
    path = PurePath(name.lower())
    return path.with_suffix("").suffix if path.suffix in COMPRESSED_SUFFIXES else path.suffix


def by_name(name: str) -> str | None:
    """The format a file's name promises, or `None`."""
    return BY_SUFFIX.get(suffix_of(name))


def compression(head: bytes) -> str | None:
    """`gzip` or `zstd` by magic bytes, or `None`."""
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "zstd" if head.startswith(b"\x28\xb5\x2f\xfd") else None


def inflated_head(head: bytes) -> bytes:
    """The beginning of what a gzip file holds, as far as `head` goes."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def by_content(head: bytes, whole: BinaryIO) -> str | None:
    """The format that the first bytes show for certain, or `None`. `whole` is read only for zip files."""
    if head.lstrip(b"\r\n\t \0\xef\xbb\xbf").startswith(b"%PDF-"):
        return "pdf"
    for magic, name in _BINARY:
        if head.startswith(magic) and _has_controls(head):
            return name
    if head.startswith(b"PK\x03\x04"):
        return "excel" if _is_workbook(whole) else None
    return None


def foreign(head: bytes) -> str | None:
    """What unreadable thing the bytes are, in words, or `None`."""
    if head.startswith(b"PK\x03\x04"):
        return "a zip archive"
    if not _has_controls(head) or head.startswith(_WIDE_BOMS) or _looks_wide(head):
        return None
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            return what
    # A stray control character is bad text, many are no text; zeros are in no text but UTF-16 and UTF-32.
    return "binary data" if b"\0" in head or len(_CONTROLS.findall(head)) > len(head) / 100 else None


def text_format(head: bytes) -> str:
    """Of text bytes: `html`, `json`, `ndjson`, `csv`, `markdown` or `text`."""
    text = decoded(head).lstrip("\ufeff")
    if _HTML.match(head):
        return "html"
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return _json_kind(text)
    lines = [line for line in text.splitlines() if line.strip()][:50]
    # The last line of a head may be cut.
    if len(lines) > 2 and len(head) >= HEAD_BYTES:
        lines.pop()
    if re.search(r"^(#{1,6} \S|```|[-*] \S)", text, re.MULTILINE) and not _is_delimited(lines):
        return "markdown"
    return "csv" if _is_delimited(lines) else "text"


def decoded(head: bytes) -> str:
    """Bytes as text for a look at them; never fails."""
    if head.startswith(_WIDE_BOMS) or _looks_wide(head):
        little = head.startswith(b"\xff\xfe") or (not head.startswith(b"\xfe\xff") and head[1:2] == b"\0")
        return head.decode("utf-16-le" if little else "utf-16-be", "ignore")
    return head.decode("utf-8", "replace")


def settled(promised: str | None, head: bytes, whole: BinaryIO, name: str) -> str:
    """The format to read a file as, from its name's promise and its content.

    Content wins where it is certain and of the same kind (table or document). Raises
    `UnreadableSource` where it contradicts the name so that reading on would give garbage.
    """
    shown = by_content(head, whole)
    if shown is None:
        what = foreign(head)
        if what is not None:
            raise UnreadableSource(f"{name} holds {what}, not data that can be loaded", hint=f"formats: {KNOWN}")
        if promised is not None and promised not in TEXTUAL:
            raise UnreadableSource(
                f"{name} is not {_article(promised)}: its first bytes are something else (damaged, or renamed)",
                hint="check the file; if its ending is wrong, rename it to what it holds and load it again",
            )
        shown = _shown_text(promised, head)
    if promised is not None and (shown in TABLES) != (promised in TABLES):
        raise UnreadableSource(
            f"{name} holds {_article(shown)}, not {_article(promised)}",
            hint="often an error or log-in page saved in place of data; if it is what you want, rename the file",
        )
    return shown


def _shown_text(promised: str | None, head: bytes) -> str:
    looks = text_format(head)
    if promised is None:
        return looks
    if promised in DELIMITED and looks in ("json", "ndjson"):
        return looks if _JSON_START.match(decoded(head)) else promised
    if promised in JSON_FORMATS:
        start = decoded(head).lstrip("\ufeff \t\r\n")[:1]
        if looks in ("csv", "html") and start not in ("{", "[", '"'):
            return looks
        # One object on each line is read the same under either name; an array is not.
        return looks if looks in JSON_FORMATS else promised
    if promised in DELIMITED and looks == "html":
        return "html"
    return promised


def _json_kind(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    whole_objects = sum(line.startswith("{") and line.endswith("}") for line in lines[:20])
    return "ndjson" if len(lines) > 1 and whole_objects > len(lines[:20]) / 2 else "json"


def _is_delimited(lines: list[str]) -> bool:
    if not lines:
        return False
    for delimiter in ",\t;|":
        counts = [line.count(delimiter) for line in lines]
        if counts[0] and sum(count == counts[0] for count in counts) >= 0.8 * len(counts) and len(counts) > 1:
            return True
    return False


def _has_controls(head: bytes) -> bool:
    return bool(_CONTROLS.search(head))


def _looks_wide(head: bytes) -> bool:
    """UTF-16 without its mark: every second byte of mostly Latin text is zero."""
    pairs = head[:4096]
    even, odd = pairs[::2].count(0), pairs[1::2].count(0)
    half = len(pairs) // 2
    return half >= 8 and ((odd > 0.6 * half and even < 0.1 * half) or (even > 0.6 * half and odd < 0.1 * half))


def _is_workbook(whole: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(whole) as archive:
            names = archive.namelist()
            if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype")[:100]:
                return True
            return any(name.startswith("xl/workbook") for name in names)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, io.UnsupportedOperation, ValueError):
        return False


def _article(format_name: str) -> str:
    words = {
        "csv": "delimited text (CSV)",
        "tsv": "delimited text (TSV)",
        "json": "JSON",
        "ndjson": "JSON lines",
        "parquet": "a Parquet file",
        "arrow": "an Arrow file",
        "excel": "an Excel workbook",
        "pdf": "a PDF",
        "markdown": "Markdown",
        "html": "an HTML page",
        "text": "plain text",
    }
    return words[format_name]
