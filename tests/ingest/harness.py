"""A loading worker of the tests, and small files of every format made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mcp_lakehouse.ingest.allowed import Allowed
from mcp_lakehouse.ingest.sources import InlineText, resolve
from mcp_lakehouse.limits import GIB, IngestLimits
from mcp_lakehouse.worker.channel import Message
from mcp_lakehouse.worker.process import Worker


@dataclass(frozen=True)
class Loaded:
    """A worker's answer, with what it staged read back."""

    answer: Message
    events: list[Message]

    @property
    def types(self) -> dict[str, str]:
        return dict(self.answer["columns"])

    @property
    def notes(self) -> str:
        return "\n".join(self.answer["notes"])

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return read_parquet([file["path"] for file in self.answer["files"]])

    @property
    def rejects(self) -> list[dict[str, Any]]:
        if self.answer["rejects"] is None:
            return []
        return [json.loads(line) for line in Path(self.answer["rejects"]).read_text(encoding="utf-8").splitlines()]

    def column(self, name: str) -> list[Any]:
        place = [each for each, _ in self.answer["columns"]].index(name)
        return [row[place] for row in self.rows]


class Loading:
    """One worker, replaced when it has died, and a folder it may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._worker: Worker | None = None

    @property
    def worker(self) -> Worker:
        if self._worker is None or not self._worker.alive:
            scratch = self.folder / "scratch" / secrets.token_hex(4)
            config = {
                "readable": [str(self.folder)],
                "writable": [str(scratch)],
                "memory_bytes": GIB,
                "threads": 2,
                "address_space_bytes": 4 * GIB,
                "file_bytes": 1 << 40,
            }
            self._worker = Worker("load", config, scratch=scratch)
        return self._worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()

    def call(self, request: Message, events: list[Message] | None = None) -> Message:
        staging = self.worker.scratch / secrets.token_hex(4)
        staging.mkdir()

        def note(event: Message) -> None:
            if events is not None:
                events.append(event)

        return self.worker.call({"staging": str(staging), **request}, timeout_seconds=120, on_event=note)

    def load(
        self, source: Path | Sequence[Path] | InlineText, *, columns: list[tuple[str, str]] | None = None, **more: Any
    ) -> Loaded:
        """Load as the server would: find the files, then hand them to the worker."""
        named = source if isinstance(source, InlineText) else [str(source)] if isinstance(source, Path) else source
        files = resolve(
            named if isinstance(named, InlineText) else [str(each) for each in named],
            allowed=Allowed((self.folder,)),
            limits=IngestLimits(),
            scratch=self.folder / "inline",
        )
        entries = [{"path": str(f.path), "name": f.name, "format": f.format, "sheet": f.sheet} for f in files]
        events: list[Message] = []
        shape = None if columns is None else [list(column) for column in columns]
        answer = self.call({"op": "load", "files": entries, "columns": shape, **more}, events)
        return Loaded(answer, events)

    def text(self, name: str, content: str | bytes) -> Path:
        """A file of the test's own in the readable folder."""
        path = self.folder / secrets.token_hex(4) / name
        path.parent.mkdir()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load_text(self, name: str, content: str | bytes, **more: Any) -> Loaded:
        return self.load(self.text(name, content), **more)


def read_parquet(paths: Sequence[str]) -> list[tuple[Any, ...]]:
    if not paths:
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute("SELECT * FROM read_parquet(?, union_by_name=true)", [list(paths)]).fetchall()


def write_parquet(path: Path, query: str) -> Path:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    """An .xlsx with numbers, texts (inline), booleans, and dates as `("date", serial)`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        kinds = "".join(
            f'<Override PartName="/xl/worksheets/s{n}.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            'spreadsheetml.worksheet+xml"/>'
            for n in range(len(sheets))
        )
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
            f'spreadsheetml.sheet.main+xml"/>{kinds}</Types>',
        )
        rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        package = "http://schemas.openxmlformats.org/package/2006/relationships"
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}"><Relationship Id="r1" Type="{rel}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        names = "".join(f'<sheet name="{name}" sheetId="{n + 1}" r:id="s{n}"/>' for n, name in enumerate(sheets))
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets>{names}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="s{n}" Type="{rel}/worksheet" Target="worksheets/s{n}.xml"/>' for n in range(len(sheets))
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}">{links}<Relationship Id="st" Type="{rel}/styles" Target="styles.xml"/>'
            "</Relationships>",
        )
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
        )
        for n, rows in enumerate(sheets.values()):
            body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/s{n}.xml", f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>'
            )
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, tuple):
        return f'<c s="1"><v>{value[1]}</v></c>'
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def pdf(pages: Sequence[str], *, password: str | None = None) -> bytes:
    """A PDF with one line of text on each page (none where it is empty), encrypted (RC4, 40 bits) if asked for."""
    identity = b"0123456789abcdef"
    key = None
    objects: list[bytes] = []
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects.append(b"<</Type/Catalog/Pages 2 0 R>>")
    objects.append(f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>".encode())
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    trailer = b""
    if password is not None:
        padding = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
        padded = (password.encode() + padding)[:32]
        owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
        key = hashlib.md5(padded + owner + (0xFFFFFFFC).to_bytes(4, "little") + identity).digest()[:5]
        trailer = b"/Encrypt %d 0 R/ID[<%s><%s>]" % (
            4 + 2 * len(pages),
            identity.hex().encode(),
            identity.hex().encode(),
        )
        user = _rc4(key, padding)
        guard = b"<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>" % (owner.hex().encode(), user.hex().encode())
    for n, text in enumerate(pages):
        number = 5 + 2 * n
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents {number} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>".encode()
        )
        stream = f"BT /F 12 Tf 20 150 Td ({text}) Tj ET".encode() if text else b"0 0 9 9 re f"
        if key is not None:
            stream = _rc4(hashlib.md5(key + number.to_bytes(3, "little") + b"\0\0").digest()[:10], stream)
        objects.append(b"<</Length %d>>stream\n" % len(stream) + stream + b"\nendstream")
    if password is not None:
        objects.append(guard)
    out = b"%PDF-1.4\n"
    places = []
    for n, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n" % n + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table
    return out + b"trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, start)


def _rc4(key: bytes, data: bytes) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)
