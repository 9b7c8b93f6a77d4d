"""Request bodies, read within their limits: JSON into memory, uploads straight to files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import anyio
import anyio.to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, LimitExceeded, StorageFailed
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.limits import GIB, KIB, MIB
from mcp_lakehouse.records import Json

# Written at once: a thread hop for each network packet would cost more than the write.
_WRITE_BYTES = MIB


class BadBody(Exception):
    """A body that was not taken, with the status that only HTTP has."""

    def __init__(self, status: int, error: LakehouseError) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error


@dataclass(frozen=True, slots=True)
class Upload:
    """What a multipart body held: plain fields, and files as they now lie on disk."""

    fields: dict[str, list[str]]
    files: list[Path]


def media_type(request: Request) -> str:
    """The body's media type, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, limits: HttpLimits) -> dict[str, Json]:
    """The JSON object in a body. Raises `BadBody`."""
    if media_type(request) != "application/json":
        raise BadBody(
            415,
            InvalidInput(
                f"the body is {media_type(request)[:60] or 'of no stated type'}",
                hint="send JSON with Content-Type: application/json",
            ),
        )
    body = bytearray()
    async for piece in _pieces(request, limits.json_bytes, limits):
        body += piece
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBody(400, InvalidInput(f"the body is not JSON: {error}"[:300], hint="send a JSON object")) from error
    if not isinstance(value, dict):
        raise BadBody(400, InvalidInput("the body is JSON, but not an object", hint='e.g. {"statement": "SELECT 1"}'))
    return value


async def read_upload(request: Request, folder: Path, limits: HttpLimits) -> Upload:
    """A multipart body, its files written into `folder`, which is made, under their own names.

    Raises `BadBody`, or `StorageFailed` when the disk does not take it.
    """
    parts = _Parts(folder, limits)
    try:
        await anyio.to_thread.run_sync(lambda: folder.mkdir(parents=True))
        parser = parts.parser(request.headers.get("content-type", ""))
        async for piece in _pieces(request, limits.upload_bytes, limits):
            parser.write(piece)
            if parts.waiting_bytes >= _WRITE_BYTES:
                await anyio.to_thread.run_sync(parts.write)
        parser.finalize()
        await anyio.to_thread.run_sync(parts.write)
    except FormParserError as error:
        raise BadBody(
            400,
            InvalidInput(
                f"the multipart body cannot be read: {error}"[:300], hint="curl writes one: curl -F file=@data.csv URL"
            ),
        ) from error
    except OSError as error:
        raise StorageFailed(
            f"the upload cannot be stored: {error.strerror}",
            hint="see that the lake's cache folder has space and may be written to, then send it again",
        ) from error
    finally:
        parts.close()
    if not parts.complete:
        raise BadBody(400, InvalidInput("the multipart body ends too early", hint="send it again"))
    return Upload(parts.fields, parts.files)


async def _pieces(request: Request, most: int, limits: HttpLimits) -> AsyncIterator[bytes]:
    """A body piece by piece, never more than `most` bytes and never waiting long for the next."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    seen = 0
    stream = request.stream()
    while True:
        try:
            with anyio.fail_after(limits.silence_seconds):
                piece = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            slow = LimitExceeded(
                f"the body paused for more than {limits.silence_seconds:g} s", hint="send it in one go"
            )
            raise BadBody(408, slow) from error
        except ClientDisconnect as error:
            raise BadBody(499, Cancelled("the client hung up", hint="nothing was changed")) from error
        seen += len(piece)
        if seen > most:
            raise _too_large(most)
        yield piece


def _too_large(most: int) -> BadBody:
    size = f"{most / GIB:g} GiB" if most >= GIB else f"{most / MIB:g} MiB" if most >= MIB else f"{most / KIB:g} KiB"
    hint = "upload it in parts, or put it in a folder the server may read and name its path as the source"
    return BadBody(413, LimitExceeded(f"the body is larger than {size}", hint=hint))


@dataclass
class _Parts:
    """The parts of one multipart body as they come in. The parser's calls only take notes; `write` does the I/O."""

    folder: Path
    limits: HttpLimits
    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    complete: bool = False
    waiting_bytes: int = 0
    _waiting: list[bytes | Path | None] = field(default_factory=list)
    _header: tuple[bytes, bytes] = (b"", b"")
    _disposition: bytes = b""
    _field: tuple[str, bytearray] | None = None
    _open: BinaryIO | None = None

    def parser(self, content_type: str) -> MultipartParser:
        """A parser for a body of this type."""
        boundary = parse_options_header(content_type.encode("latin-1"))[1].get(b"boundary")
        if not boundary:
            raise FormParserError("its Content-Type names no boundary")
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add_header(data[start:end], b""),
                "on_header_value": lambda data, start, end: self._add_header(b"", data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._named,
                "on_part_data": lambda data, start, end: self._data(data[start:end]),
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )

    def write(self) -> None:
        """Bring to disk what was noted; blocking. Raises `OSError`."""
        waiting, self._waiting, self.waiting_bytes = self._waiting, [], 0
        for step in waiting:
            if isinstance(step, Path):
                self._open = step.open("xb")
            elif step is None:
                self.close()
            else:
                assert self._open is not None
                self._open.write(step)

    def close(self) -> None:
        """Close the file that is being written, if one is."""
        if self._open is not None:
            opened, self._open = self._open, None
            opened.close()

    def _begin(self) -> None:
        self._disposition, self._field = b"", None

    def _add_header(self, name: bytes, value: bytes) -> None:
        self._header = self._header[0] + name, self._header[1] + value

    def _end_header(self) -> None:
        name, value = self._header
        self._header = b"", b""
        if name.lower() == b"content-disposition":
            self._disposition = value

    def _named(self) -> None:
        options = parse_options_header(self._disposition)[1]
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            if sum(map(len, self.fields.values())) >= self.limits.upload_files:
                raise FormParserError("too many fields")
            self._field = (name, bytearray())
            return
        if len(self.files) >= self.limits.upload_files:
            raise FormParserError(f"more than {self.limits.upload_files} files")
        path = self.folder / _safe_name(options[b"filename"].decode("utf-8", "replace"))
        if path in self.files:
            raise FormParserError(f"two files are called {path.name}")
        self.files.append(path)
        self._waiting.append(path)

    def _data(self, data: bytes) -> None:
        if self._field is None:
            self._waiting.append(data)
            self.waiting_bytes += len(data)
            return
        self._field[1].extend(data)
        if len(self._field[1]) > self.limits.field_bytes:
            raise FormParserError(f"field {self._field[0][:60]!r} is too long")

    def _end(self) -> None:
        if self._field is None:
            self._waiting.append(None)
            return
        name, value = self._field
        self.fields.setdefault(name, []).append(value.decode("utf-8", "replace"))

    def _finish(self) -> None:
        self.complete = True


def _safe_name(given: str) -> str:
    """A file's own name without folders, control characters and excess length; its ending tells its format."""
    name = PurePosixPath(given.replace("\\", "/")).name
    name = "".join(character for character in name if character.isprintable()).strip(". ")
    stem, dot, suffix = name.rpartition(".")
    # Most file systems take names of at most 255 bytes.
    short = (
        (stem.encode()[:180].decode("utf-8", "ignore") + dot + suffix[:20])
        if dot
        else name.encode()[:200].decode("utf-8", "ignore")
    )
    return short or "upload"
