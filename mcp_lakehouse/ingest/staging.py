"""The parent's side of what a worker stages: where it goes, that it goes away, and what a failure of it means."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from mcp_lakehouse.errors import StorageFailed, UnreadableSource

_STAGING = "staging-"


@contextlib.contextmanager
def emptied(scratch: Path) -> Iterator[None]:
    """Afterwards a worker's scratch folder holds no staging folder: the worker lives on, with room for the next."""
    try:
        yield
    finally:
        for staging in scratch.glob(f"{_STAGING}*"):
            shutil.rmtree(staging, ignore_errors=True)


def new_staging(scratch: Path) -> Path:
    """A folder of one request to a worker, for what it writes."""
    staging = scratch / f"{_STAGING}{secrets.token_hex(8)}"
    staging.mkdir()
    return staging


@contextlib.contextmanager
def of_dataset(name: str) -> Iterator[None]:
    """What cannot be read here is no source but a file of the dataset: raises `StorageFailed`."""
    try:
        yield
    except UnreadableSource as error:
        raise StorageFailed(
            f"a data file of {name!r} could not be read: {error.message.rpartition(' cannot be read: ')[2]}",
            hint="run `mcp-lakehouse doctor`; restore_dataset goes back to an older version, which may still be whole",
        ) from error
