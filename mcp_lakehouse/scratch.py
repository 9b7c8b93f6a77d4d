"""A folder for the temporary files of one process, removed by the next one if this one was killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path

_LOCK = ".lock"


class Scratch:
    """A fresh folder below `parent`, held by a lock for as long as this process lives."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(parent)
        self.path = parent / secrets.token_hex(8)
        # Locked before it gets its name, so that nobody finds it without its lock.
        making = parent / f".{self.path.name}"
        making.mkdir()
        self._lock = os.open(making / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        making.rename(self.path)

    def close(self) -> None:
        """Remove the folder and all in it; a second call does nothing."""
        if self._lock < 0:
            return
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1


def remove_abandoned(parent: Path) -> None:
    """Remove what killed processes left below `parent`."""
    for folder in parent.glob("[0-9a-f]*"):
        with contextlib.suppress(OSError):
            # The kernel frees the lock of a killed process, whatever its process id is used for now.
            # Made where it is missing: a removal that was broken off may have taken it first.
            handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def in_use(parent: Path) -> bool:
    """Whether a process that lives has a folder below `parent`."""
    remove_abandoned(parent)
    return any(parent.glob("[0-9a-f]*"))
