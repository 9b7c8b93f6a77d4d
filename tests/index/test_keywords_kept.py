"""A keyword index shared by processes, killed, damaged, of another version: it answers rightly or says why not."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from index.damage import damaged
from mcp_lakehouse.errors import Conflict, StorageFailed
from mcp_lakehouse.index import states
from mcp_lakehouse.index.keywords import Keywords

TESTS = Path(__file__).parents[1]


@pytest.fixture
def keywords(tmp_path: Path) -> Iterator[Keywords]:
    with Keywords(tmp_path / "keywords") as opened:
        yield opened


def found(keywords: Keywords, query: str, limit: int = 10) -> list[tuple[str, int]]:
    return [(part, number) for part, number, _ in keywords.search(query, limit)]


def kept(folder: Path, **parts: list[str]) -> None:
    with Keywords(folder) as keywords:
        for part, texts in parts.items():
            keywords.add(part, texts)
        keywords.commit()


def test_what_another_committed_is_seen_without_opening_again(tmp_path: Path) -> None:
    with Keywords(tmp_path / "k") as one, Keywords(tmp_path / "k") as other:
        one.add("a", ["red"])
        one.commit()
        assert found(other, "red") == [("a", 0)]
        other.add("b", ["red"])
        other.commit()
        assert one.parts() == {"a": 1, "b": 1}


def test_searching_goes_on_while_another_writes_and_a_second_writer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "_LOCK_SECONDS", 0.1)
    kept(tmp_path / "k", a=["red"])
    with Keywords(tmp_path / "k") as one, Keywords(tmp_path / "k") as other:
        one.add("b", ["blue"])
        assert found(other, "red") == [("a", 0)]
        with pytest.raises(Conflict, match="another process is writing"):
            other.add("c", ["green"])
        one.commit()
        other.add("c", ["green"])
        other.commit()
        assert one.parts() == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize(("where", "parts"), [("added", "a"), ("committing", "a"), ("published", "ab")])
def test_killed_anywhere_the_last_commit_counts_and_nothing_is_locked(tmp_path: Path, where: str, parts: str) -> None:
    folder = tmp_path / "k"
    kept(folder, a=["red anchor"])
    process = subprocess.Popen(
        [sys.executable, "-m", "index.keeping_process", str(folder), where],
        cwd=TESTS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "halted\n"
        process.kill()
        process.wait()
    with Keywords(folder) as keywords:
        assert "".join(sorted(keywords.parts())) == parts
        assert found(keywords, "anchor") == [("a", 0)]
        keywords.add("c", ["green"])
        keywords.commit()
        assert "".join(sorted(keywords.parts())) == parts + "c"
    assert sorted(path.name[:8] for path in folder.iterdir())[1:] == ["lock"]


# --- Damage ---


def _damages(chance: random.Random, folder: Path) -> None:
    state = next(path for path in folder.iterdir() if path.name != "lock")
    files = sorted(path for path in state.iterdir() if not path.name.endswith(".lock"))
    victim = chance.choice(files)
    data = victim.read_bytes()
    # Written beside and moved, as a copy of a folder would be: nothing has the old file mapped.
    bad = damaged(data, chance)
    if chance.random() < 0.05:
        victim.unlink()
    elif bad == data:
        victim.write_bytes(data + b"x")
    else:
        victim.write_bytes(bad)


def test_every_random_damage_is_noticed_and_the_index_is_made_anew(tmp_path: Path) -> None:
    chance = random.Random(11)
    texts = [" ".join(chance.choices(["red", "blue", "green", "grey"], k=6)) for _ in range(200)]
    kept(tmp_path / "whole", a=texts, b=texts[:50])
    whole = next(path for path in (tmp_path / "whole").iterdir() if path.name != "lock")
    files = {path.name: path.read_bytes() for path in whole.iterdir()}
    for number in range(1_000):
        folder = tmp_path / f"damaged-{number}"
        state = folder / whole.name
        state.mkdir(parents=True)
        for name, data in files.items():
            (state / name).write_bytes(data)
        (folder / "lock").touch()
        _damages(chance, folder)
        with Keywords(folder) as keywords:
            assert keywords.empty, number
            assert keywords.search("red", 10) == []
            if number % 100 == 0:
                keywords.add("a", ["red"])
                keywords.commit()
                assert found(keywords, "red") == [("a", 0)]


def test_an_index_of_another_version_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(tmp_path / "k", a=["red"])
    monkeypatch.setattr("mcp_lakehouse.index.keywords.ANALYSIS", "0")
    with Keywords(tmp_path / "k") as keywords:
        assert keywords.empty


def test_a_panic_of_the_library_is_an_error_with_a_hint(keywords: Keywords, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    keywords.add("a", ["red"])
    keywords.commit()

    def panics(*_: object) -> None:
        raise PanicException("index out of bounds")

    monkeypatch.setattr("mcp_lakehouse.index.keywords.found", panics)
    with pytest.raises(StorageFailed, match="index out of bounds") as raised:
        keywords.search("red", 1)
    assert raised.value.hint


def test_a_folder_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageFailed, match="cannot open the keyword index") as raised:
        Keywords(tmp_path / "file" / "k")
    assert raised.value.hint
