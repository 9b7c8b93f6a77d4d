"""Where the lakes of these tests live, and how they are opened and filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.records import Json

PEOPLE = "id,name,city\n1,Ada,London\n2,Grace,New York\n3,Edsger,Austin\n"


@dataclass(frozen=True)
class Place:
    """A lake's address, the folder it may load from, and where its local state is kept if not inside it."""

    kind: str
    address: str
    files: Path
    cache: Path | None
    environment: Mapping[str, str]

    def open(self, *, cache: Path | None = None, **options: Any) -> Lakehouse:
        """The lake, as another process would open it; `cache` in place of the place's own."""
        variables = dict(self.environment)
        if cache or self.cache:
            variables["LAKEHOUSE_CACHE"] = str(cache or self.cache)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            return Lakehouse.open(self.address, allow=[self.files], **options)

    def put(self, name: str, text: str) -> Path:
        """A file that may be loaded."""
        path = self.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def folder_place(folder: Path) -> Place:
    """A lake in a folder of its own, with local state inside it."""
    (folder / "files").mkdir(parents=True)
    return Place("folder", str(folder / "lake"), folder / "files", None, {})


def put(lake: Lakehouse, name: str, text: str) -> Path:
    """A file that the lake may load."""
    path = lake.settings.allowed_roots[0] / name
    path.write_text(text, encoding="utf-8")
    return path


def inline(name: str, text: str) -> dict[str, str]:
    """A CSV for the dataset `name`."""
    return {"name": f"{name}.csv", "text": text}


def rows(lake: Lakehouse, statement: str) -> list[list[Json]]:
    """What a statement gives."""
    return lake.sql(statement).rows
