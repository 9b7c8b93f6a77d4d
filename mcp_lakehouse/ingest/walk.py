"""Walking folders: links to folders are not followed, hidden names and the insides of lakes are passed over, work is
bounded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mcp_lakehouse.errors import LimitExceeded, UnreadableSource
from mcp_lakehouse.marker import PARTS, is_lake

_WILD = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Whether a path holds glob characters."""
    return bool(_WILD.search(text))


def fixed_part(pattern: str) -> Path:
    """The folder before the first component with a glob character."""
    parts = Path(pattern).parts
    wild = next((place for place, part in enumerate(parts) if is_pattern(part)), len(parts))
    return Path(*parts[:wild])


def files_below(folder: Path, source: str, *, entries: int) -> Iterator[Path]:
    """Every visible file below a folder, sorted, folders after the files beside them.

    Raises `UnreadableSource` for a folder that may not be listed, `LimitExceeded` past `entries`.
    """
    for file, _ in _walk(folder, source, entries, depth=None, hidden=False):
        yield file


def matching(pattern: str, *, entries: int) -> Iterator[Path]:
    """Files below `fixed_part(pattern)` that match: `*`, `?`, `[…]` within a name, `**` across folders."""
    base = fixed_part(pattern)
    wild = Path(pattern).parts[len(base.parts) :]
    depth = None if "**" in wild else len(wild)
    shape = re.compile("".join(_translated(wild)))
    hidden = any(part.startswith(".") for part in wild)
    for file, relative in _walk(base, pattern, entries, depth=depth, hidden=hidden):
        if shape.fullmatch(relative):
            yield file


def _walk(folder: Path, source: str, limit: int, *, depth: int | None, hidden: bool) -> Iterator[tuple[Path, str]]:
    seen = 0
    waiting: list[tuple[Path, str, int]] = [(folder, "", 1)]
    while waiting:
        here, prefix, level = waiting.pop()
        try:
            with os.scandir(here) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            raise UnreadableSource(
                f"the folder {str(here)!r} cannot be listed: {error.strerror}",
                hint="give the server's user permission to read it, or name the files without it",
            ) from None
        seen += len(found)
        if seen > limit:
            raise LimitExceeded(f"{source[:200]!r} holds more than {limit:,} entries", hint="name a smaller folder")
        folders = []
        own = PARTS if is_lake([entry.name for entry in found]) else frozenset()
        for entry in found:
            if entry.name in own or (entry.name.startswith(".") and not hidden):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append((Path(entry.path), f"{prefix}{entry.name}/", level + 1))
            else:
                yield Path(entry.path), prefix + entry.name
        if depth is None or level < depth:
            waiting.extend(reversed(folders))


def _translated(parts: tuple[str, ...]) -> Iterator[str]:
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == "**":
            yield r"(?:[^/]+/)*[^/]*" if last else r"(?:[^/]+/)*"
        else:
            # A leading wildcard does not match hidden names, as in a shell.
            yield ("" if part.startswith(".") else r"(?!\.)") + _one_name(part) + ("" if last else "/")


def _one_name(part: str) -> str:
    out, at = "", 0
    while at < len(part):
        char = part[at]
        stop = part.find("]", at + 2) if char == "[" else -1
        if char == "*":
            out += "[^/]*"
        elif char == "?":
            out += "[^/]"
        elif stop > 0:
            inner = part[at + 1 : stop].replace("\\", r"\\").replace("[", r"\[").replace("^", r"\^")
            out += f"[^/{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
            at = stop
        else:
            out += re.escape(char)
        at += 1
    return out
