"""What no file of this repository may hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BYTES_OF_A_FILE = 1_000_000
# Written so that this file does not match itself.
FORBIDDEN = {
    "a package registry's host": r"pyp[i]\.org|pythonhoste[d]\.org|npmj[s]\.(?:org|com)|deb\.debia[n]\.org",
    "a path of somebody's machine": r"/[w]ork/\w|/[r]oot/|/[f]arm/|/[U]sers/[a-z]+/|\.pyen[v]/|bash_job[s]",
    "a private key": r"-----BEGIN (?:[A-Z]+ )?PRIVAT[E] KEY-----",
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what].encode())
    found = []
    for path in tracked():
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line[:120]!r}")
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    samples = ("https://pypi" + ".org/simple", "/ro" + "ot/.cache/x", "-----BEGIN RSA " + "PRIVATE KEY-----")
    for pattern, sample in zip(FORBIDDEN.values(), samples, strict=True):
        assert re.search(pattern, sample)


def test_no_file_is_large() -> None:
    sizes = {path.relative_to(ROOT).as_posix(): path.stat().st_size for path in tracked()}
    assert {name: size for name, size in sizes.items() if size > BYTES_OF_A_FILE} == {}
