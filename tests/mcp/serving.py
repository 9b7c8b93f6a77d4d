"""Lakes behind two servers, each as if it were alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.settings import read_settings
from tests.mcp.calling import Served
from tests.place import place_of


@contextmanager
def served(folder: Path, *, files: Path | None = None) -> Iterator[Served]:
    """A new lake that may load from `files`, if not from all of `folder`."""
    allowed = files or folder
    allowed.mkdir(exist_ok=True)
    settings = read_settings({**place_of(folder), "allow": str(allowed), "embedder": "wordllama"})
    with Lakehouse.open(settings=settings) as lake, Lakehouse.open(settings=settings) as other:
        yield Served(lake, build_server(lake), build_server(other), allowed)
