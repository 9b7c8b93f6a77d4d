"""Where the passages of a dataset's data files are kept: in the bucket, or beside it where that is read-only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mcp_lakehouse.errors import NotFound, StorageFailed
from mcp_lakehouse.index.generation import passages_key
from mcp_lakehouse.index.names import leaf
from mcp_lakehouse.index.passages import Passages, from_parquet, to_parquet
from mcp_lakehouse.index.recipe import Recipe
from mcp_lakehouse.store import Bucket
from mcp_lakehouse.table import DataFile


class Embeddings:
    """The embeddings of one dataset."""

    def __init__(self, name: str, bucket: Bucket, folder: Path, *, read_only: bool) -> None:
        self._name = name
        self._bucket = bucket
        self._folder = folder
        self._read_only = read_only

    def get(self, recipe: Recipe, file_key: str, rows: int | None) -> Passages | None:
        """What somebody has made of a data file (of so many rows) before."""
        key = passages_key(self._name, recipe, file_key)
        local = self._folder / "unshared" / recipe.identifier / leaf(file_key)
        try:
            data = self._bucket.read(key)
        except NotFound:
            try:
                data = local.read_bytes()
            except OSError:
                return None
        try:
            found = from_parquet(data, key=key, dimensions=recipe.dimensions)
        except StorageFailed:
            # Disposable: made again from the rows.
            return None
        return found if rows is None or found.file_rows == rows else None

    def put(self, recipe: Recipe, file: DataFile, passages: Passages) -> None:
        """Keep what was made of a data file, in the bucket if that may be written."""
        data = to_parquet(passages, {"lakehouse.recipe": recipe.identifier, "lakehouse.model": recipe.model})
        if not self._read_only:
            self._bucket.write(passages_key(self._name, recipe, file.key), data)
            return
        path = self._folder / "unshared" / recipe.identifier / leaf(file.key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(data)
            os.replace(part, path)
