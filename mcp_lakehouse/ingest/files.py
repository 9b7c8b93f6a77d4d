"""One file as a source: looked at without following links, blocking, or reading more than its head."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotFound, UnreadableSource
from mcp_lakehouse.ingest import formats


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to load. `path` is absolute and real; `name` is what the user knows it as; `bytes` its size.

    `problem`: why it is left out; then `format` is what its name promises, if anything.
    """

    path: Path
    name: str
    format: str
    bytes: int
    sheet: str | None = None
    problem: LakehouseError | None = None


def none_readable(problems: Sequence[LakehouseError]) -> LakehouseError:
    """The error of a load none of whose files can be read; for one file, its own."""
    first = problems[0]
    if len(problems) == 1:
        return first
    return UnreadableSource(
        f"none of the {len(problems):,} files can be read; the first: {first.message}", hint=first.hint
    )


def open_regular(path: Path, name: str) -> BinaryIO:
    """A regular file opened unbuffered for reading; never follows a link, never blocks.

    Raises `NotFound`, `InvalidInput` (not a regular file) or `UnreadableSource` (no permission).
    """
    try:
        _check_regular(os.lstat(path).st_mode, name)
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(error, name) from None
    try:
        # What was looked at by name may have been replaced since.
        _check_regular(os.fstat(fd).st_mode, name)
    except InvalidInput:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb", buffering=0)


def source_file(real: Path, name: str, sheet: str | None, *, may_be_empty: bool = False) -> SourceFile:
    """A file with its format settled. Raises as `open_regular`, and `UnreadableSource` for what cannot be data."""
    promised = formats.by_name(name.rpartition("#")[0] if sheet is not None else name)
    with open_regular(real, name) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            head = stream.read(formats.HEAD_BYTES)
        except OSError as error:
            raise unreadable(error, name) from None
        if not head:
            if may_be_empty and promised is not None:
                return SourceFile(real, name, promised, 0, sheet)
            raise UnreadableSource(f"{name} is empty (0 bytes)", hint="check how it was made or downloaded")
        packed = formats.compression(head)
        if packed is None:
            return SourceFile(real, name, formats.settled(promised, head, stream, name), size, sheet)
        if promised is None or promised not in formats.TEXTUAL:
            raise UnreadableSource(
                f"{name} is compressed with {packed}; only text tables and texts may be",
                hint="unpack it, or name it for what it holds, such as data.csv.gz",
            )
        inside = formats.inflated_head(head) if packed == "gzip" else b""
        shown = formats.settled(promised, inside, stream, name) if inside else promised
        return SourceFile(real, name, shown, size, sheet)


def _check_regular(mode: int, name: str) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = (
        (stat.S_ISFIFO, "a FIFO (named pipe)"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISLNK, "a symbolic link"),
    )
    what = next((words for test, words in kinds if test(mode)), "no regular file")
    raise InvalidInput(f"{name[:200]!r} is {what}", hint="copy its content into a regular file and load that")


def unreadable(error: OSError, name: str) -> Exception:
    """What an `OSError` on a source means to its user."""
    if error.errno == errno.ENOENT:
        return NotFound(f"there is no file {name[:200]!r}", hint="it may have been moved; check the path")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableSource(
            f"{name[:200]!r} may not be read by the user the server runs as",
            hint="give that user permission to read it",
        )
    return UnreadableSource(
        f"{name[:200]!r} cannot be read: {error.strerror}", hint="check the file and the disk it is on"
    )
