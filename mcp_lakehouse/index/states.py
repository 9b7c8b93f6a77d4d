"""States of a local index, each a folder of files that never change again; the highest number counts.

Layout below one folder: `00000007/` (a state: files and a manifest with the SHA-256 of each), `building/` (of
the one writer), `lock`. A writer starts from hard links to the state that counts, so a commit costs what is
new; publishing is one rename. Killed anywhere, the old state or the new one counts, and readers never see a
file that a writer may touch.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_lakehouse.errors import Conflict

_MANIFEST = "manifest.json"
_BUILDING = "building"
_LOCK = "lock"
_DIGITS = 8
_LOCK_SECONDS = 10.0
_LOCK_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class State:
    """One published state. `number` grows with each."""

    number: int
    path: Path


class States:
    """The states below `folder`. `kind` says what wrote them; a state of another kind counts as damaged.

    Not safe for threads: the owner serialises calls.
    """

    def __init__(self, folder: Path, kind: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kind = dict(kind)
        self._lock: int | None = None
        # Digests found right by this process: (inode, time of change, size) -> digest.
        self._verified: dict[tuple[int, int, int], str] = {}

    def latest(self) -> State | None:
        """The state that counts, unverified; none in a new folder."""
        numbers = [int(name) for name in os.listdir(self._folder) if name.isdigit()]
        if not numbers:
            return None
        return State(max(numbers), self._folder / f"{max(numbers):0{_DIGITS}}")

    def is_whole(self, state: State) -> bool:
        """Whether every byte of the state is as it was published, and of this kind."""
        manifest = _read_manifest(state.path)
        if manifest is None or manifest.get("kind") != self._kind:
            return False
        files = manifest.get("files")
        if not isinstance(files, dict) or not files:
            return False
        with contextlib.suppress(OSError):
            return all(self._digest(state.path / name) == digest for name, digest in files.items())
        return False

    def remove(self, state: State) -> None:
        """Take a damaged state away."""
        shutil.rmtree(state.path, ignore_errors=True)

    def begin(self) -> Path:
        """The building folder, holding the files of the state that counts; this process is the one writer now.

        Raises `Conflict` where another writer does not finish in time.
        """
        self._take_lock()
        try:
            building = self._folder / _BUILDING
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            state = self.latest()
            if state is not None:
                for name in _files(state.path):
                    _link(state.path / name, building / name)
        except BaseException:
            self._drop_lock()
            raise
        return building

    def publish(self) -> State:
        """Make what is in the building folder the state that counts, and end the writing."""
        building = self._folder / _BUILDING
        files = {name: self._digest(building / name) for name in sorted(_files(building))}
        _write_manifest(building, {"kind": self._kind, "files": files})
        before = self.latest()
        number = before.number + 1 if before else 1
        state = State(number, self._folder / f"{number:0{_DIGITS}}")
        building.rename(state.path)
        _sync_folder(self._folder)
        if before is not None:
            # Readers hold its files open or mapped, so they lose nothing.
            self.remove(before)
        self._drop_lock()
        return state

    def abandon(self) -> None:
        """End the writing without a new state; without a writing, does nothing."""
        if self._lock is not None:
            shutil.rmtree(self._folder / _BUILDING, ignore_errors=True)
            self._drop_lock()

    def _digest(self, path: Path) -> str:
        about = path.stat()
        key = (about.st_ino, about.st_ctime_ns if about.st_nlink == 1 else about.st_mtime_ns, about.st_size)
        if key not in self._verified:
            with path.open("rb") as file:
                self._verified[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._verified[key]

    def _take_lock(self) -> None:
        handle = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                # The kernel frees it when its holder dies, so nothing is ever left locked.
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(handle)
                    raise Conflict(
                        f"another process is writing the index in {self._folder}",
                        hint="searches go on with what was committed; try again when it has finished",
                    ) from None
                time.sleep(_LOCK_PAUSE_SECONDS)
            else:
                self._lock = handle
                return

    def _drop_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _files(folder: Path) -> list[str]:
    """Names of what the manifest covers: not itself, nor lock files, which hold nothing."""
    return [name for name in os.listdir(folder) if name != _MANIFEST and not name.endswith(".lock")]


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        # A file system without hard links.
        shutil.copy2(source, target)


def _write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    body = json.dumps(manifest, indent=1)
    with (folder / _MANIFEST).open("w", encoding="utf-8") as file:
        file.write(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}")
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(folder)


def _read_manifest(folder: Path) -> dict[str, object] | None:
    """The manifest, none where it is missing or damaged: its first line is the digest of the rest."""
    try:
        digest, _, body = (folder / _MANIFEST).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            return None
        manifest = json.loads(body)
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
