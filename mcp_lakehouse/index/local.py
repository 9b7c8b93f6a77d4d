"""What one machine keeps of the indexes, and how it is taken away while processes search and write."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from mcp_lakehouse.errors import Conflict
from mcp_lakehouse.index.states import States
from mcp_lakehouse.scratch import remove_abandoned

# Files of readers, which have them open or mapped and so lose nothing, or make them again.
_READ = ("rows", "bases", "unshared")
_BUILDING = ".building"
_LOCKS = ("lock", ".lock", "placing")


def forget_local(folder: Path) -> None:
    """Remove the files below the local index folder; what is being written at this moment is left alone.

    Folders and locks stay: processes that run go on in them.
    """
    for keywords in folder.glob("*/keywords-*"):
        _forget_keywords(keywords)
    for path in (path for kind in _READ for path in folder.glob(f"*/{kind}/**/*")):
        if path.is_file() and _BUILDING not in path.parts:
            with contextlib.suppress(OSError):
                path.unlink()


def forget_dataset(folder: Path) -> tuple[int, int]:
    """Remove all files of one dataset's local index folder, also those that killed processes left.

    Returns how many were removed, and how many could not be: those are being written at this moment.
    """
    before = len(_data_files(folder))
    for keywords in folder.glob("keywords-*"):
        _forget_keywords(keywords)
    for building in folder.rglob(_BUILDING):
        remove_abandoned(building)
    for path in _data_files(folder):
        if _BUILDING not in path.parts and not path.parent.name.startswith("building-"):
            path.unlink(missing_ok=True)
    left = len(_data_files(folder))
    return before - left, left


def _data_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name not in _LOCKS]


def _forget_keywords(folder: Path) -> None:
    states = States(folder, {})
    # Its writer replaces what is there in a moment.
    with contextlib.suppress(Conflict, OSError):
        states.lock()
        for left in folder.glob("building-*"):
            shutil.rmtree(left, ignore_errors=True)
        while (state := states.latest()) is not None:
            states.remove(state)
            if state.path.exists():
                break
    states.abandon()
