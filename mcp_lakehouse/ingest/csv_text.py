"""A delimited or line-based text made ready for the engine: unpacked, UTF-8, one kind of line end.

One fast pass over the bytes looks at what the engine would otherwise get wrong without a word; a
copy is written to the staging folder only where something has to change.
"""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcp_lakehouse.errors import LimitExceeded, UnreadableSource
from mcp_lakehouse.ingest import formats
from mcp_lakehouse.ingest.encodings import LineCensus, guess, marked
from mcp_lakehouse.ingest.engine import Job
from mcp_lakehouse.ingest.files import open_regular
from mcp_lakehouse.limits import GIB, MIB

# A line longer than this cannot be split into columns. Well below the engine's buffer: lines that
# span buffers are dropped there without an error.
MAX_LINE_BYTES = 4 * MIB
_BLOCK_BYTES = MIB
_BACKGROUND_BYTES = 32 * MIB
_CENSUS_LINES = 2_000_000
# Gzip packs zeros 1,000 to 1; real tables stay far below this.
_UNPACKED_RATIO = 400


@dataclass(frozen=True, slots=True)
class Scan:
    """What one pass over a text saw: numbers of LF, of CRLF and of CR, whether it is UTF-8 and ends its last line."""

    line_ends: int
    crlf: int
    returns: int
    utf8: bool
    ended: bool

    @property
    def mixed(self) -> bool:
        """Whether line ends of several kinds occur, inside quotes or not."""
        return self.returns > self.crlf or 0 < self.crlf < self.line_ends


@dataclass(frozen=True, slots=True)
class TextFile:
    """Text as the engine is to read it: `path` holds UTF-8 whose lines end in LF, or in CRLF if `crlf`."""

    path: Path
    crlf: bool
    # Of a large file the pass runs beside the engine's own; until it is done its outcome is assumed.
    scanned: Scan | Future[Scan]

    @property
    def scan(self) -> Scan:
        """What the pass saw; waits for it."""
        return self.scanned if isinstance(self.scanned, Scan) else self.scanned.result()


def prepare(job: Job, path: Path, name: str) -> TextFile:
    """Look at a file, all of it if it is small, and stage a mended copy if need be; notes go to the job.

    A large file that begins well is looked through in the background: call `mended` once it was read.
    Raises `UnreadableSource` for what cannot be unpacked or decoded.
    """
    with open_regular(path, name) as stream:
        head = stream.read(formats.HEAD_BYTES)
    packed = formats.compression(head)
    if packed is not None:
        path = _unpack(job, path, name, packed)
        head = _head(path)
    encoding = marked(head)
    if encoding is not None and encoding != "utf-8-sig":
        path = _transcode(job, path, name, encoding)
        job.note(f"{name} is {encoding.upper()}; it was read as such")
    if path.stat().st_size < _BACKGROUND_BYTES:
        text = TextFile(path, _first_end_is_crlf(path), _scan(path))
        return mended(job, text, name) or text
    return TextFile(path, _first_end_is_crlf(path), job.background.submit(_scan, path))


def mended(job: Job, text: TextFile, name: str) -> TextFile | None:
    """A copy with what the pass found put right, or `None` if nothing was wrong."""
    path, scan = text.path, text.scan
    if not scan.utf8:
        path, scan = _mend_encoding(job, path, name, scan)
    if scan.mixed and _mixed_outside_quotes(path):
        path = normalise(job, path, name)
        scan = _scan(path)
    # Lines that are not UTF-8 may stay, to be rejected.
    return None if path == text.path else TextFile(path, _first_end_is_crlf(path), scan)


def normalise(job: Job, path: Path, name: str) -> Path:
    """A copy in which every line end (LF, CRLF or CR) is LF."""
    target = staged(job, ".txt")
    with path.open("rb") as source, target.open("xb") as out:
        held = b""
        for block in _blocks(source):
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            block = block[: len(block) - len(held)]
            out.write(block.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        if held:
            out.write(b"\n")
    job.note(f"{name} ends lines in several ways, or with CR alone; each was taken as the end of a line")
    return target


def with_path(path: Path, *, crlf: bool) -> TextFile:
    """A copy with the same lines as a text."""
    return TextFile(path, crlf, _scan(path))


def staged(job: Job, suffix: str) -> Path:
    """A new path in the job's staging folder."""
    return job.staging / f"text-{secrets.token_hex(8)}{suffix}"


def sample(text: TextFile, size: int = 256 * 1024) -> str:
    """The beginning of a text in whole lines; longer than `size` if its first lines are."""
    with text.path.open("rb") as source:
        data = source.read(size)
        while data.count(b"\n") < 2 and len(data) < 2 * MAX_LINE_BYTES and (more := source.read(size)):
            data += more
        whole = not source.read(1)
    if not whole and b"\n" in data:
        data = data[: data.rindex(b"\n") + 1]
    return data.decode("utf-8-sig", "replace")


def line_numbers(path: Path, positions: list[int]) -> list[int]:
    """The physical line (from 1) that holds each byte position; positions ascend and count from 1."""
    numbers: list[int] = []
    line, start, place = 1, 0, 0
    with path.open("rb") as source:
        for block in _blocks(source):
            stop = start + len(block)
            at = 0
            while place < len(positions) and positions[place] <= stop:
                offset = positions[place] - start
                line += block.count(b"\n", at, offset)
                at = offset
                numbers.append(line)
                place += 1
            if place == len(positions):
                break
            line += block.count(b"\n", at)
            start = stop
    return numbers + [line] * (len(positions) - len(numbers))


def _head(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(formats.HEAD_BYTES)


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(_BLOCK_BYTES):
        yield block


def _unpack(job: Job, path: Path, name: str, packed: str) -> Path:
    import pyarrow as pa

    target = staged(job, ".txt")
    limit = max(GIB, path.stat().st_size * _UNPACKED_RATIO)
    written = 0
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path), "rb"), packed) as source, target.open("xb") as out:
            while block := source.read(_BLOCK_BYTES):
                written += len(block)
                if written > limit:
                    raise LimitExceeded(
                        f"{name} unpacks to more than {_UNPACKED_RATIO} times its size",
                        hint="unpack it yourself and load what it holds, if you trust it",
                    )
                out.write(block)
    except (OSError, pa.ArrowInvalid) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableSource(
            f"{name} cannot be unpacked: the {packed} data is damaged or cut off", hint="fetch the file again"
        ) from None
    return target


def _transcode(job: Job, path: Path, name: str, encoding: str, errors: str = "strict") -> Path:
    target = staged(job, ".txt")
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    replaced = 0
    try:
        with path.open("rb") as source, target.open("xb") as out:
            for block in _blocks(source):
                text = decoder.decode(block)
                replaced += text.count("\ufffd") if errors == "replace" else 0
                out.write(text.encode("utf-8", "replace"))
            out.write(decoder.decode(b"", final=True).encode("utf-8", "replace"))
    except UnicodeDecodeError as error:
        raise UnreadableSource(
            f"{name} begins as {encoding.upper()} but is not, from byte {error.start:,} of a block on",
            hint="save it again as UTF-8",
        ) from None
    if replaced:
        job.note(f"{name}: {replaced:,} characters that {encoding} does not have were replaced by U+FFFD")
    return target


def _scan(path: Path) -> Scan:
    """One pass over a file: about 1.3 GB/s."""
    buffer = bytearray(_BLOCK_BYTES)
    view = memoryview(buffer)
    line_ends = crlf = returns = 0
    last = b""
    decoder: codecs.IncrementalDecoder | None = None
    utf8 = True
    with path.open("rb", buffering=0) as source:
        while count := source.readinto(buffer):
            block = buffer if count == _BLOCK_BYTES else buffer[:count]
            line_ends += block.count(b"\n")
            if b"\r" in block:
                returns += block.count(b"\r")
                crlf += block.count(b"\r\n")
            crlf += last == b"\r" and block[0] == 10
            if utf8 and (decoder is not None or not block.isascii()):
                decoder = decoder or codecs.getincrementaldecoder("utf-8")()
                try:
                    decoder.decode(view[:count])
                except UnicodeDecodeError:
                    utf8 = False
            last = bytes(block[-1:])
    if utf8 and decoder is not None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            utf8 = False
    return Scan(line_ends, crlf, returns, utf8, last == b"\n")


def _mend_encoding(job: Job, path: Path, name: str, scan: Scan) -> tuple[Path, Scan]:
    census = LineCensus()
    with path.open("rb") as source:
        for _ in range(_CENSUS_LINES):
            line = source.readline(MAX_LINE_BYTES)
            if not line:
                break
            census.add(line)
    if not census.legacy:
        job.note(f"{name} is UTF-8 with lines in some other encoding; those lines were rejected")
        return path, scan
    encoding = guess(census.sample)
    job.note(f"{name} is not UTF-8; it was read as {encoding} (a guess: if letters look wrong, save it as UTF-8)")
    path = _transcode(job, path, name, encoding, "replace")
    return path, _scan(path)


def _first_end_is_crlf(path: Path) -> bool:
    with path.open("rb") as source:
        for block in _blocks(source):
            place = block.find(b"\n")
            if place >= 0:
                return block[:place].endswith(b"\r")
    return False


def _mixed_outside_quotes(path: Path) -> bool:
    """Whether records end in more than one way. Line ends inside quoted fields do not count."""
    kinds: set[bytes] = set()
    quoted, held = False, b""
    with path.open("rb") as source:
        for block in _blocks(source):
            block = held + block
            held = b"\r" if block.endswith(b"\r") else b""
            for place, part in enumerate(block[: len(block) - len(held)].split(b'"')):
                quoted ^= place > 0
                if quoted or (b"\n" not in part and b"\r" not in part):
                    continue
                pairs, feeds, returns = part.count(b"\r\n"), part.count(b"\n"), part.count(b"\r")
                kinds |= {b"\r\n"} if pairs else set()
                kinds |= {b"\n"} if feeds > pairs else set()
                kinds |= {b"\r"} if returns > pairs else set()
            if len(kinds) > 1 or b"\r" in kinds:
                return True
    return b"\r" in kinds
