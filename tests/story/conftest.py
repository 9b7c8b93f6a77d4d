"""A story made once, and looked at by every test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from mcp_lakehouse.story.making import Made, make_story

WORKERS, RESUMES = 30_000, 3_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """The files of a story, read back."""

    folder: Path
    made: list[Made]

    def table(self, name: str) -> pa.Table:
        """A table as it was written."""
        return pyarrow.parquet.read_table(self.folder / f"{name}.parquet")

    @cached_property
    def resumes(self) -> list[Row]:
        """All résumés."""
        return list(self.table("resumes").to_pylist())


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """More workers than a block, so that what spans blocks is looked at too."""
    folder = tmp_path_factory.mktemp("story") / "files"
    return Story(folder, make_story(folder, workers=WORKERS, resumes=RESUMES, seed=7, formats=["parquet"]))
