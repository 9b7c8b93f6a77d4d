"""The seed's story: 15,000 résumés to searchable, its question over MCP, and how often the people found are right."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pyarrow.parquet

from benchmarks.client import call, connect
from benchmarks.measure import Timing, ms, table
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.story.making import make_story
from mcp_lakehouse.story.questions import SEED, Question, expected, lacks, questions

WORKERS, RESUMES = 500_000, 15_000
SEED_NUMBER = 1
ROUNDS = 40
TOP = 10
COLUMNS = ["worker_id", "role", "state", "certifications"]
People = Mapping[str, Mapping[str, Any]]


def run(folder: Path) -> str:
    """The Markdown section."""
    files = folder / "files"
    began = time.perf_counter()
    make_story(files, workers=WORKERS, resumes=RESUMES, seed=SEED_NUMBER)
    making = time.perf_counter() - began
    rows = pyarrow.parquet.read_table(files / "resumes.parquet").to_pylist()
    people = {str(row["worker_id"]): row for row in rows}
    loading, indexing, model = _load(folder / "lake", files)
    facts = [
        [f"{WORKERS:,} workers with contracts and fills made as Parquet, s", f"{making:.1f}"],
        [f"{RESUMES:,} résumés from file to the first search, s ({model})", f"{loading:.1f}"],
        ["then an index built and published, s", f"{indexing:.1f}"],
    ]
    times, quality = anyio.run(_ask, folder / "lake", files, people)
    return "\n\n".join(
        [
            "### The staffing story",
            table(["", ""], facts),
            f'"{SEED.text}" over MCP (stdio), {ROUNDS} rounds taking turns:',
            table(["", "p50, ms", "p99, ms"], times),
            f"Of the {TOP} people found first, how many satisfy the question wholly, and each part of it "
            f"({len(questions())} questions; people who satisfy are known from the generator):",
            table(["", "the seed's question", "all questions", "role", "certificate", "state"], quality),
        ]
    )


def _load(lake: Path, files: Path) -> tuple[float, float, str]:
    """Seconds until the résumés were searchable and until their index was there, and the embedder's name."""
    with Lakehouse.open(lake, allow=[files]) as opened:
        # The loader process of a server that runs is there already.
        opened.ingest({"text": "a\n1\n", "name": "warm.csv"})
        began = time.perf_counter()
        opened.ingest(files / "resumes.parquet", dataset="resumes", key="worker_id", text="resume_text")
        opened.search(SEED.text, "resumes")
        searchable = time.perf_counter() - began
        report = opened.build_index("resumes")
        model = opened.sql("SELECT model FROM system.generations WHERE dataset = 'resumes' LIMIT 1").rows[0][0]
        return searchable, report.build_seconds, str(model)


async def _ask(lake: Path, files: Path, people: People) -> tuple[list[list[str]], list[list[str]]]:
    async with connect(lake, files) as client:
        taken: dict[str, list[float]] = {
            name: [] for name in ("search", "search where state", "ask", "ask where state")
        }
        for number in range(ROUNDS + 2):
            for name in taken:
                where = {"where": f"state = '{SEED.state}'"} if name.endswith("state") else {}
                said = {"question": SEED.text} if name.startswith("ask") else {"query": SEED.text}
                began = time.perf_counter()
                await call(client, name.split()[0], datasets=["resumes"], **said, **where)
                # The first two rounds open files and load the model.
                if number >= 2:
                    taken[name].append(time.perf_counter() - began)
        quality = [
            [name, *await _quality(client, people, name)]
            for name in ("words alone", "where state", "where role and state")
        ]
    timings = {name: Timing(tuple(seconds)) for name, seconds in taken.items()}
    times = [[name, ms(timing.median), ms(timing.percentile(0.99))] for name, timing in timings.items()]
    return times, quality


async def _quality(client: Any, people: People, way: str) -> list[str]:
    """Shares of the people found who satisfy: the seed's question, all questions, and each part of all."""
    shares: list[float] = []
    parts: dict[str, list[float]] = {"role": [], "certification": [], "state": []}
    for question in questions():
        truth = expected(question, people.values())
        answer = await call(
            client, "search", query=question.text, datasets=["resumes"], k=TOP, columns=COLUMNS, **_where(question, way)
        )
        # A long résumé may be found by several of its passages.
        found = list(dict.fromkeys(str(hit["columns"]["worker_id"]) for hit in answer["results"]))
        right = [worker for worker in found if worker in truth]
        # Where fewer people satisfy than were asked for, all of them is all there is.
        shares.append(len(right) / max(1, min(TOP, len(truth))))
        for part, values in parts.items():
            values.append(sum(part not in lacks(question, people[worker]) for worker in found) / max(1, len(found)))
    means = [shares[0], sum(shares) / len(shares), *(sum(values) / len(values) for values in parts.values())]
    return [f"{mean:.2f}" for mean in means]


def _where(question: Question, way: str) -> dict[str, str]:
    state, role = f"state = '{question.state}'", f"role = '{question.role}'"
    return {
        "words alone": {},
        "where state": {"where": state},
        "where role and state": {"where": f"{role} AND {state}"},
    }[way]
