"""What a profile is shown lies in files of its own, which go when nothing needs them and come back when something does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.profiles import projection

RULES = '[profiles.part]\ndatasets = ["t"]\n[profiles.part.restrict.t]\nwhere = "id < 100"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A lake with two rows, one of which the profile `part` shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_KEEP_DAYS", "0")
        patch.setenv("LAKEHOUSE_KEEP_VERSIONS", "1")
        with Lakehouse.open(tmp_path / "lake") as lake:
            lake.ingest({"name": "t.csv", "text": "id,a\n1,x\n100,y\n"}, key=["id"])
        (tmp_path / "lake" / "lakehouse.toml").write_text(RULES)
        yield tmp_path / "lake"


def change(lake: Lakehouse, value: str) -> None:
    lake.ingest({"name": "t.csv", "text": f"id,a\n1,{value}\n"}, dataset="t", mode="upsert")


def seen(lake: Lakehouse, table: str = "t") -> list[list[object]]:
    return lake.sql(f"SELECT id, a FROM {table}").rows


def kept(folder: Path) -> list[Path]:
    """The files of what is shown."""
    return sorted((folder / "_cache" / "profiles").rglob("shown/**/*.parquet"))


def test_what_is_shown_of_files_that_were_vacuumed_goes_with_them(folder: Path) -> None:
    with Lakehouse.open(folder) as lake, Lakehouse.open(folder, profile="part") as part:
        assert seen(part) == [[1, "x"]]
        lake.ingest({"name": "u.csv", "text": "id,a\n2,z\n"}, dataset="t", mode="replace")
        assert seen(part) == [[2, "z"]]
        assert len(kept(folder)) == 2
        lake.vacuum("t", at_once=True)
        assert len(kept(folder)) == 1
        assert seen(part) == [[2, "z"]]


def test_what_no_version_at_hand_shows_is_removed_in_time_and_made_again_when_it_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection, "_VERSIONS_KEPT", 1)
    with Lakehouse.open(folder) as lake, Lakehouse.open(folder, profile="part") as part:
        for number in range(5):
            change(lake, f"value {number}")
            assert seen(part) == [[1, f"value {number}"]]
        many = kept(folder)
        assert len(many) > 4
        for path in many:
            os.utime(path, (0, time.time() - 2 * projection._UNUSED_SECONDS))
        change(lake, "the last")
        assert seen(part) == [[1, "the last"]]
        few = kept(folder)
        assert len(few) < 4
        assert seen(part, "t AT (VERSION => 2)") == [[1, "value 1"]]
        assert seen(part) == [[1, "the last"]]


def test_files_that_another_process_removed_are_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Lakehouse.open(folder, profile="part") as part:
        assert seen(part) == [[1, "x"]]
        monkeypatch.setattr(projection, "_MARKED_SECONDS", 0.0)
        for path in kept(folder):
            path.unlink()
        assert seen(part) == [[1, "x"]]
        assert kept(folder)
