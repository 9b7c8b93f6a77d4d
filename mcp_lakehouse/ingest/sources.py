"""What a caller names as a source becomes a list of regular files below the allowed roots.

Runs in the server's process, so nothing heavy is imported and no byte beyond a file's head is
read here, except by `fingerprint`. Nothing is opened that could block or act: no FIFO, no device.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput, LimitExceeded
from mcp_lakehouse.ingest import formats, walk
from mcp_lakehouse.ingest.allowed import Allowed
from mcp_lakehouse.ingest.files import SourceFile, none_readable, open_regular, source_file
from mcp_lakehouse.ingest.finding import Finder, local_path
from mcp_lakehouse.limits import MIB, IngestLimits
from mcp_lakehouse.names import as_name, check_name, stem

__all__ = [
    "InlineText",
    "Source",
    "SourceFile",
    "as_given",
    "check_name",
    "dataset_name",
    "fingerprint",
    "open_regular",
    "resolve",
    "spool_stdin",
]

_BLOCK_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True)
class InlineText:
    """Text given in place of a file; the ending of `name` gives its format, else its content does."""

    text: str
    name: str


def resolve(
    source: str | Sequence[str] | InlineText,
    *,
    allowed: Allowed,
    limits: IngestLimits,
    scratch: Path,
) -> list[SourceFile]:
    """The files a source means, in a stable order, each once.

    A source is a file, a folder (recursive; hidden files and unknown formats are passed over), a
    glob (`**` too), a `file://` URL, `book.xlsx#Sheet`, several of these, or inline text.
    Symbolic links are resolved before the roots are checked. Of several files those that cannot be
    read have a `problem`; a single one, or all of them, are an error. Raises `InvalidInput`, `NotAllowed`,
    `NotFound`, `UnreadableSource` or `LimitExceeded`.
    """
    if isinstance(source, InlineText):
        return [_spool_text(source, limits, scratch)]
    named = [source] if isinstance(source, str) else list(source)
    if not named:
        raise InvalidInput("no source was given", hint="name a file, a folder or a glob")
    finder = Finder(allowed, scratch, limits)
    found: dict[tuple[Path, str | None], SourceFile] = {}
    for each in named:
        for file in finder.find(each, alone=len(named) == 1):
            found.setdefault((file.path, file.sheet), file)
            if len(found) > limits.files:
                raise LimitExceeded(
                    f"the source means more than {limits.files:,} files", hint="load it in parts, with narrower globs"
                )
    files = list(found.values())
    problems = [file.problem for file in files if file.problem is not None]
    if len(problems) == len(files):
        raise none_readable(problems)
    return files


def spool_stdin(stream: BinaryIO, scratch: Path, name: str) -> SourceFile:
    """Standard input written to a file in `scratch`; its format comes from `name`'s ending, else its content."""
    path = _scratch_path(scratch, name or "stdin")
    with path.open("xb") as target:
        while block := stream.read(_BLOCK_BYTES):
            target.write(block)
    return source_file(path, name or "stdin", None)


def fingerprint(file: SourceFile, *, cancel: CancelToken, progress: Callable[[int], None] | None) -> str:
    """SHA-256 (hex) of a file's bytes and its sheet, if one is named. `progress` gets the bytes read so far."""
    digest = hashlib.sha256()
    buffer = bytearray(_BLOCK_BYTES)
    view = memoryview(buffer)
    done = 0
    with open_regular(file.path, file.name) as stream:
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]  # BinaryIO lacks what every file has
            cancel.check()
            digest.update(view[:count])
            done += count
            if progress is not None:
                progress(done)
    if file.sheet is not None:
        digest.update(b"\0sheet\0" + file.sheet.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def dataset_name(
    files: Sequence[SourceFile], source: str | Sequence[str] | InlineText, given: str | None = None
) -> str:
    """The name that was given, checked; else a valid one after the folder or the only file (and its sheet)."""
    if given:
        return check_name(given)
    folder = _folder_of(files, source) if isinstance(source, str) else None
    if folder:
        return as_name(folder)
    if len(files) == 1:
        file = files[0]
        base = file.name.rpartition("#")[0] if file.sheet is not None else file.name
        return as_name(f"{stem(base)}_{file.sheet}" if file.sheet is not None else stem(base))
    parents = {file.path.parent for file in files}
    return as_name(parents.pop().name if len(parents) == 1 else stem(files[0].name))


def _folder_of(files: Sequence[SourceFile], source: str) -> str | None:
    plain = local_path(source).rstrip("/")
    if len(files) == 1:
        file = files[0]
        named_itself = file.name in (source, Path(plain).name) or file.sheet is not None
        return None if named_itself or walk.is_pattern(plain) else Path(plain).resolve().name
    return (walk.fixed_part(plain) if walk.is_pattern(plain) else Path(plain)).resolve().name


def _spool_text(inline: InlineText, limits: IngestLimits, scratch: Path) -> SourceFile:
    data = inline.text.encode("utf-8", "replace")
    if len(data) > limits.inline_bytes:
        raise LimitExceeded(
            f"inline text may have {limits.inline_bytes // MIB} MB, this has {len(data) / MIB:.1f} MB",
            hint="write it to a file below an allowed folder and load that",
        )
    if not inline.text.strip():
        raise InvalidInput("the inline text is empty", hint="give text, or a path")
    name = inline.name.strip() or "inline"
    path = _scratch_path(scratch, name)
    path.write_bytes(data)
    return source_file(path, name, None)


def _scratch_path(scratch: Path, name: str) -> Path:
    suffix = formats.suffix_of(name)
    scratch.mkdir(parents=True, exist_ok=True)
    return scratch / f"{secrets.token_hex(8)}{suffix if suffix in formats.BY_SUFFIX else ''}"


# A path, folder or glob; several of them; or inline {"text", "name"}.
Source: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, str]


def as_given(source: Source) -> str | Sequence[str] | InlineText:
    """A source as `resolve` takes it. Raises `InvalidInput` for inline data that is not `{text, name}`."""
    if isinstance(source, Mapping):
        if set(source) != {"text", "name"} or not all(isinstance(value, str) for value in source.values()):
            raise InvalidInput("inline data is {text, name}", hint='e.g. {"text": "a,b\\n1,2", "name": "numbers.csv"}')
        return InlineText(source["text"], source["name"])
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return [os.fspath(each) for each in source]
