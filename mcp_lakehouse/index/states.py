"""States of a local index, each a folder of files that never change again; the highest number counts.

Layout below one folder: `00000007-…/` (a state: files and a manifest with the SHA-256 of each), `building-…/`
(of the one writer), `lock`. A writer starts from hard links to the state that counts, so a commit costs what is
new; publishing is one rename. Killed anywhere, the old state or the new one counts, and readers never see a
file that a writer may touch.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
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

    Any thread may read (`latest`, `is_whole`, `remove`); writing is for one at a time.
    """

    def __init__(self, folder: Path, kind: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kind = dict(kind)
        self._held: int | None = None
        self._building = folder
        self._base: State | None = None

    def latest(self) -> State | None:
        """The state that counts, unverified; none in a new folder."""
        return max(self._all(), key=lambda state: state.number, default=None)

    def _all(self) -> list[State]:
        names = (name for name in os.listdir(self._folder) if name[:_DIGITS].isdigit())
        return [State(int(name[:_DIGITS]), self._folder / name) for name in names]

    def is_whole(self, state: State) -> bool:
        """Whether every byte of the state is as it was published, and of this kind."""
        manifest = _read_manifest(state.path)
        if manifest is None or manifest.get("kind") != self._kind:
            return False
        files = manifest.get("files")
        if not isinstance(files, dict) or not files:
            return False
        with contextlib.suppress(OSError):
            return all(_digest(state.path / name) == digest for name, digest in files.items())
        return False

    def remove(self, state: State) -> None:
        """Take a damaged state away."""
        shutil.rmtree(state.path, ignore_errors=True)

    def lock(self) -> None:
        """Make this process the one writer, until `publish` or `abandon`.

        Raises `Conflict` where another writer does not finish in time.
        """
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
                self._held = handle
                return

    def begin(self, base: State | None) -> Path:
        """A folder for the writer, holding the files of `base`; needs the lock."""
        for left in self._folder.glob(f"{_BUILDING}-*"):
            shutil.rmtree(left, ignore_errors=True)
        # A name of its own: a writer that failed may still let go of its files.
        self._building = self._folder / f"{_BUILDING}-{secrets.token_hex(8)}"
        self._building.mkdir()
        if base is not None:
            for name in _files(base.path):
                _link(base.path / name, self._building / name)
        self._base = base
        return self._building

    def publish(self) -> State:
        """Make what is in the writer's folder the state that counts, and end the writing."""
        building = self._building
        _write_manifest(building, {"kind": self._kind, "files": self._digests()})
        latest = self.latest()
        number = latest.number + 1 if latest else 1
        # The number may have been that of a damaged state, which a reader may still have open.
        state = State(number, self._folder / f"{number:0{_DIGITS}}-{secrets.token_hex(4)}")
        building.rename(state.path)
        _sync_folder(self._folder)
        for before in self._all():
            # Readers hold its files open or mapped, so they lose nothing.
            if before.number < number:
                self.remove(before)
        self._end()
        return state

    def abandon(self) -> None:
        """End the writing without a new state; without a writing, does nothing."""
        if self._held is not None:
            if self._building != self._folder:
                shutil.rmtree(self._building, ignore_errors=True)
            self._end()

    def _end(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _digests(self) -> dict[str, str]:
        """Digest of each file the writer leaves; one it took over has the digest it had, right or not."""
        known: dict[str, str] = {}
        if self._base is not None:
            files = (_read_manifest(self._base.path) or {}).get("files")
            known = files if isinstance(files, dict) else {}
        digests = {}
        for name in sorted(_files(self._building)):
            path = self._building / name
            taken = self._base is not None and name in known and _same(self._base.path / name, path)
            digests[name] = known[name] if taken else _digest(path)
        return digests


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


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
