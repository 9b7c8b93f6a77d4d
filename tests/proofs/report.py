"""`docs/proofs.md`: one section for each proof, replaced when that proof is run again."""

from __future__ import annotations

import os
import platform
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "proofs.md"
_WIDTH = 118
_HEAD = """\
# Proofs
What was tried in order to break a lake, and what came of it. `make proof` runs everything and writes this document;
`make proof ARGS="crash servers together swap"` runs some of it. The test suite runs a small sample of each (`tests/proofs`),
and the faults of storage (slow, 503, broken connections, refused writes, wrong lengths, a full disk, a clock that
jumps) wholly: `tests/lake`, `tests/contracts`.
"""


@dataclass(frozen=True)
class Section:
    """A proof's figures, and whether it holds."""

    title: str
    text: list[str]
    holds: bool


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]


def wrapped(*paragraphs: str) -> list[str]:
    """Paragraphs as lines that are not too long, each followed by an empty one."""
    return [line for each in paragraphs for line in (*textwrap.wrap(each, _WIDTH), "")]


def write(sections: Iterable[Section], file: Path = FILE) -> None:
    """Put these sections in the place of those of the same title; others stay."""
    kept = _sections(file.read_text(encoding="utf-8")) if file.exists() else {}
    where = f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} processors"
    for section in sections:
        verdict = "holds" if section.holds else "DOES NOT HOLD"
        kept[section.title] = "\n".join([f"{verdict}; {where}.", "", *section.text])
    body = "".join(f"\n## {title}\n{text.strip()}\n" for title, text in sorted(kept.items()))
    file.write_text(_HEAD + body, encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))
