"""Lakes to be mistreated: made once, copied for each trial, in a folder or on the S3 test server."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.store import Bucket, open_bucket
from tests.s3_server import BUCKET, s3_server

ROOT = Path(__file__).parents[2]
KINDS = ("folder", "s3")


@dataclass(frozen=True)
class Place:
    """A lake, and the folder on this machine with its cache and its sources (and the lake, if it is a folder)."""

    kind: str
    folder: Path
    server: Mapping[str, str]

    @property
    def address(self) -> str:
        """Where the lake is."""
        return str(self.folder / "lake") if self.kind == "folder" else f"s3://{BUCKET}/{self.folder.name}"

    @property
    def files(self) -> Path:
        """Where it may load from."""
        return self.folder / "files"

    def environment(self) -> dict[str, str]:
        """For a process that opens the lake; nothing of this machine's own settings is in it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAKEHOUSE_"))}
        ours = {
            "LAKEHOUSE_LAKE": self.address,
            "LAKEHOUSE_CACHE": str(self.folder / "cache"),
            "LAKEHOUSE_ALLOW": str(self.files),
            "LAKEHOUSE_EMBEDDER": "wordllama",
            # Of a vacuum, which is a kind of work that is killed.
            "LAKEHOUSE_KEEP_DAYS": "0",
            "LAKEHOUSE_KEEP_VERSIONS": "1",
            "PYTHONPATH": str(ROOT),
        }
        return {**kept, **self.server, **ours}

    def start(self, module: str, *arguments: object) -> subprocess.Popen[str]:
        """A process of `tests.proofs` that opens the lake."""
        return subprocess.Popen(
            [sys.executable, "-m", f"tests.proofs.{module}", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bucket(self) -> Bucket:
        """The lake's bytes."""
        return open_bucket(self.address, self.environment())

    def copied(self, name: str) -> Place:
        """The same lake in another place, with its sources and its cache."""
        copy = Place(self.kind, self.folder.parent / name, self.server)
        shutil.copytree(self.folder, copy.folder)
        if self.kind == "s3":
            source, target = self.bucket(), copy.bucket()
            keys = [info.key for info in source.list()]
            for key, data in zip(keys, source.read_many(keys), strict=True):
                target.write(key, data or b"")
        return copy

    def remove(self) -> None:
        """Take it away."""
        if self.kind == "s3":
            bucket = self.bucket()
            bucket.delete([info.key for info in bucket.list()])
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def empty_place(kind: str, folder: Path, server: Mapping[str, str] | None = None) -> Iterator[Place]:
    """No lake yet, in `folder` or on a server (one is started where none is given)."""
    with contextlib.ExitStack() as stack:
        if kind == "s3" and server is None:
            server = stack.enter_context(s3_server())
        place = Place(kind, folder / f"{kind}-{secrets.token_hex(8)}", server if kind == "s3" and server else {})
        place.files.mkdir(parents=True)
        yield place


@contextlib.contextmanager
def opened(place: Place, **options: Any) -> Iterator[Lakehouse]:
    """The lake in this process, which has the place's environment while it opens."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(place.environment())
    try:
        lake = Lakehouse.open(**options)
    finally:
        os.environ.clear()
        os.environ.update(before)
    with lake:
        yield lake
