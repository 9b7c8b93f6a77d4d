"""Finding what a source text means: files, folders, globs, `file://` URLs and workbook sheets below the roots."""

from __future__ import annotations

import difflib
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mcp_lakehouse.errors import InvalidInput, LimitExceeded, NotAllowed, NotFound, UnreadableSource
from mcp_lakehouse.ingest import formats, walk
from mcp_lakehouse.ingest.allowed import Allowed
from mcp_lakehouse.ingest.files import SourceFile, source_file
from mcp_lakehouse.limits import MIB, IngestLimits

_PATH_CHARS = 4_096
_COMPARED_NAMES = 10_000
_KNOWN_HINT = f"formats: {formats.KNOWN}"


class Finder:
    """Turns one source text into files."""

    def __init__(self, allowed: Allowed, scratch: Path, limits: IngestLimits) -> None:
        """`scratch`: where uploads lie, which may be read too."""
        self._allowed_places = allowed
        self._scratch = scratch.resolve()
        self._roots = (*allowed.resolved, self._scratch)
        self._shown_roots = allowed.roots
        self._limits = limits

    def find(self, source: str, *, alone: bool) -> Iterator[SourceFile]:
        """The files of one source, which may be the only one. Raises as `sources.resolve`."""
        text = self._checked(source)
        path = self._placed(text)
        real = self._allowed(path, source)
        if not _exists(real):
            sheet_of = self._workbook(text)
            if sheet_of is not None:
                yield self._file(sheet_of[0], source, sheet_of[1], alone=alone)
                return
            if walk.is_pattern(text):
                yield from self._glob(text)
                return
            raise self._missing(path, source)
        if stat.S_ISDIR(os.stat(real).st_mode):
            yield from self._folder(real, source)
        else:
            yield self._file(real, source, None, alone=alone)

    def _checked(self, source: str) -> str:
        if not source.strip() or len(source) > _PATH_CHARS:
            raise InvalidInput("the source is empty or absurdly long", hint="name a file, a folder or a glob")
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in source):
            raise InvalidInput(
                f"the source {source[:200]!r} holds control characters", hint="give the path as plain text"
            )
        if source == "-":
            raise InvalidInput(
                "standard input can be loaded from the command line only", hint="give a path, or inline text"
            )
        return os.path.expanduser(local_path(source))

    def _placed(self, text: str) -> Path:
        """Relative paths are meant from the working directory, else from the first root that has them.

        One that is nowhere is missing below the first root it could be in: whether it is there in a folder
        that may not be read is not told.
        """
        if os.path.isabs(text):
            return Path(text)
        here = Path.cwd() / text
        plain = walk.fixed_part(text) if walk.is_pattern(text) else Path(text)
        candidates = [Path.cwd(), *self._roots]
        for base in candidates:
            if self._inside(_real(base / plain)) and (os.path.lexists(base / text) or os.path.lexists(base / plain)):
                return base / text
        if any(os.path.lexists(root / text) for root in self._shown_roots):
            # A link that leads out of a root.
            return here
        could_be = (base / text for base in (Path.cwd(), *self._shown_roots) if self._inside(_real(base / plain)))
        return next(could_be, here)

    def _allowed(self, path: Path, source: str) -> Path:
        place = walk.fixed_part(str(path)) if walk.is_pattern(str(path)) and not os.path.lexists(path) else path
        real = _real(place)
        if not self._inside(real):
            roots = ", ".join(str(root) for root in self._shown_roots) or "(none)"
            raise NotAllowed(
                f"{source[:200]!r} lies outside the folders that may be read: {roots} (and not the lake's own files)",
                hint="copy the file below one of them, or start the server with --allow FOLDER",
            )
        return _real(path)

    def _inside(self, real: Path) -> bool:
        if real.is_relative_to(self._scratch):
            return True
        below = any(real.is_relative_to(root) for root in self._roots)
        return below and not self._allowed_places.is_kept_back(real)

    def _workbook(self, text: str) -> tuple[Path, str] | None:
        before, mark, sheet = text.rpartition("#")
        if not mark or not sheet or formats.by_name(before) != "excel":
            return None
        real = self._allowed(self._placed(before), before)
        return (real, sheet) if _exists(real) else None

    def _folder(self, folder: Path, source: str) -> Iterator[SourceFile]:
        empty = True
        for path in walk.files_below(folder, source, entries=self._limits.files * 10):
            real = _real(path)
            # A link that leads out of the roots is no part of the folder.
            if formats.by_name(path.name) is None or not self._inside(real) or not _is_file(real):
                continue
            empty = False
            yield self._file(real, str(path.relative_to(folder)), None, alone=False)
        if empty:
            raise NotFound(f"the folder {source[:200]!r} holds no file that can be loaded", hint=_KNOWN_HINT)

    def _glob(self, text: str) -> Iterator[SourceFile]:
        path = str(self._placed(text))
        base = walk.fixed_part(path)
        if not base.is_dir():
            raise self._missing(base, text)
        empty = True
        for match in walk.matching(path, entries=self._limits.files * 10):
            real = _real(match)
            if not self._inside(real) or not _is_file(real):
                continue
            empty = False
            yield self._file(real, str(match.relative_to(base)), None, alone=False)
        if empty:
            raise NotFound(
                f"nothing matches {text[:200]!r}", hint=f"{base} holds {_some_of(base)}; `**` also looks into folders"
            )

    def _file(self, real: Path, source: str, sheet: str | None, *, alone: bool) -> SourceFile:
        """A file; one among others that cannot be read does not keep them from being loaded."""
        shown = Path(local_path(source))
        name = shown.name if os.path.isabs(os.path.expanduser(shown)) else source
        if sheet is not None and not name.endswith(f"#{sheet}"):
            name = f"{name}#{sheet}"
        try:
            return self._readable(real, name, sheet, may_be_empty=not alone)
        except (UnreadableSource, LimitExceeded) as error:
            if alone:
                raise
            return SourceFile(real, name, formats.by_name(name) or "", 0, sheet, problem=error)

    def _readable(self, real: Path, name: str, sheet: str | None, *, may_be_empty: bool) -> SourceFile:
        file = source_file(real, name, sheet, may_be_empty=may_be_empty)
        if file.format in formats.IN_MEMORY and file.bytes > self._limits.document_bytes:
            raise LimitExceeded(
                f"{name} is {file.bytes / MIB:,.0f} MB; a file of this format may have "
                f"{self._limits.document_bytes / MIB:,.0f} MB",
                hint="split it, or turn it into CSV or Parquet, which are read as a stream",
            )
        return file

    def _missing(self, path: Path, source: str) -> NotFound:
        folder = path.parent
        names = _names_in(folder) if self._inside(_real(folder)) else []
        close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
        if os.path.islink(path):
            hint = "it is a link to something that is not there"
        elif close:
            hint = f"did you mean {' or '.join(repr(name) for name in close)}?"
        elif names:
            hint = f"{folder} holds {_some_of(folder)}"
        else:
            hint = "check the path; relative ones are meant from the server's working directory"
        return NotFound(f"there is no file or folder {source[:200]!r}", hint=hint)


def local_path(source: str) -> str:
    """A `file://` URL as a path, any other text as it is. Raises `InvalidInput` for other schemes."""
    scheme, mark, _ = source.partition("://")
    if not mark or not scheme.isascii() or not scheme.replace("+", "").replace("-", "").isalnum():
        return source
    if scheme.lower() != "file":
        raise InvalidInput(
            f"sources behind {scheme}:// are not supported yet", hint="download the file first and give its local path"
        )
    parts = urlsplit(source)
    if parts.netloc not in ("", "localhost"):
        raise InvalidInput(f"{source[:200]!r} names another machine", hint="file:///absolute/path is a local file")
    path = unquote(parts.path)
    if "\0" in path:
        raise InvalidInput("the source holds control characters", hint="give the path as plain text")
    return path


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def _is_file(real: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(real).st_mode)
    except OSError:
        return False


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry, _ in zip(entries, range(_COMPARED_NAMES), strict=False)]
    except OSError:
        return []


def _some_of(folder: Path) -> str:
    names = sorted(name for name in _names_in(folder) if not name.startswith("."))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(repr, names[:10])) + more or "no visible files"
