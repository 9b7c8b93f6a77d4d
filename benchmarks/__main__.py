"""`python -m benchmarks [NAME …]`: run all (or the named) benchmarks and write their sections of docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

import anyio

from benchmarks import (
    answers,
    cancel,
    commits,
    embedding,
    flight,
    hybrid,
    ingest,
    large,
    profiles,
    quality,
    sql,
    start,
    story,
    surface,
    upsert,
    vectors,
)

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
ALL = {
    "sql": sql.run,
    "ingest": ingest.run,
    "large": large.run,
    "start": start.run,
    "cancel": cancel.run,
    "commits": commits.run,
    "flight": flight.run,
    "upsert": upsert.run,
    "profiles": profiles.run,
    "surface": surface.run,
    "quality": quality.run,
    "embedding": embedding.run,
    "vectors": vectors.run,
    "hybrid": hybrid.run,
    "story": story.run,
    "answers": answers.run,
}


def main(names: list[str]) -> None:
    """Run and write; sections of benchmarks that are not run stay as they are."""
    sections = _written()
    for name in names or list(ALL):
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
            work = ALL[name]
            section = anyio.run(partial(work, Path(folder))) if name in ("sql", "cancel") else work(Path(folder))
        print(section, end="\n\n", flush=True)
        sections[name] = str(section).strip()
        ordered = [f"<!-- {name} -->\n{sections[name]}" for name in ALL if name in sections]
        PAGE.write_text("\n\n".join([_head(), *ordered]) + "\n", encoding="utf-8")


def _written() -> dict[str, str]:
    """The sections that the page holds."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    parts = re.split(r"^<!-- (\w+) -->\n", page, flags=re.MULTILINE)[1:]
    return {name: text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True) if name in ALL}


def _head() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "deltalake", "pyarrow", "mcp"))
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`; contenders take turns in one run and medians are compared, because machines vary: "
        "read the ratios. "
        '`make bench ARGS="NAME …"` runs some of them (the names stand in the source of this page). '
        f"The last run: {datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, {memory:.0f} GiB, "
        f"Python {platform.python_version()}, {packages}."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
