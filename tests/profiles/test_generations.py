"""Each profile has generations of its own, which change while it is served and do not touch the others."""

from __future__ import annotations

import os
from pathlib import Path

from mcp_lakehouse import Lakehouse


def write(folder: Path, generation: int) -> None:
    """Lets a generation serve the profile `steady`; `plain` follows the lake."""
    text = f'[profiles.steady]\ndatasets = ["notes"]\n[profiles.steady.restrict.notes]\ngeneration = {generation}\n'
    file = folder / "lakehouse.toml"
    file.write_text(text + '[profiles.plain]\ndatasets = ["notes"]\n')
    # The next write is told from this one although it may be as long and within one tick of the clock.
    status = file.stat()
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns + generation))


def serving(lake: Lakehouse) -> int:
    """The generation that a search was answered from."""
    found = lake.search("bees", "notes")
    assert found.results
    return found.generations["notes"]


def test_a_profile_s_generation_is_swapped_and_taken_back_while_it_is_served(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    with Lakehouse.open(folder) as lake:
        lake.ingest({"name": "notes.md", "text": "# Bees\n\nThey sleep at night.\n"})
        first = lake.build_index("notes").generation
        second = lake.build_index("notes").generation
    write(folder, first)
    with (
        Lakehouse.open(folder) as lake,
        Lakehouse.open(folder, profile="steady") as steady,
        Lakehouse.open(folder, profile="plain") as plain,
    ):
        assert [serving(each) for each in (lake, plain, steady)] == [second, second, first]
        third = lake.build_index("notes").generation
        assert [serving(each) for each in (lake, plain, steady)] == [third, third, first]
        write(folder, second)
        assert [serving(each) for each in (lake, plain, steady)] == [third, third, second]
        lake.rollback_index("notes")
        assert [serving(each) for each in (plain, steady)] == [second, second]
        write(folder, first)
        assert serving(steady) == first
        # One that is not there changes nothing, and an administrator is told.
        write(folder, 99)
        assert serving(steady) == first
        (shown,) = lake.list_profiles("steady").shown or ()
        assert shown.problem is not None
        assert "generation 99 is not there" in shown.problem
        (folder / "lakehouse.toml").write_text("not a settings file")
        assert serving(steady) == first
