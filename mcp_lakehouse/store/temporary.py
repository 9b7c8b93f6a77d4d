"""Unfinished files: beside their target, under a name nothing reads. A killed process leaves one behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

_ENDING = ".tmp"


@contextlib.contextmanager
def temporary_beside(target: Path) -> Iterator[Path]:
    """A free name in the target's own folder, which is made if needed; gone afterwards, whatever happened."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}{_ENDING}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether a file's name is that of an unfinished one."""
    return name.startswith(".") and name.endswith(_ENDING)
