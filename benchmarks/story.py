"""The seed's story: 15,000 résumés to searchable, its question over MCP, and how often the people found are right."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pyarrow.parquet
from mcp import Client

from benchmarks.client import call, connect
from benchmarks.measure import Timing, ms, table
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.story.making import make_story
from mcp_lakehouse.story.questions import SEED, Question, expected, lacks, questions

WORKERS, RESUMES = 500_000, 15_000
SEED_NUMBER = 1
ROUNDS = 40
TOP = 10
# What a table knows of its people helps to find them: with the text alone far fewer are right.
TEXT = ["role", "city", "state", "certifications", "resume_text"]
WAYS = ("search", "search where state", "search where role and state", "ask", "ask where state")
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
            f"Of the people among the {TOP} first passages, or cited in the answer, how many satisfy the question wholly, "
            f"and each part of it ({len(_asked(people))} questions in several wordings; the generator knows the truth):",
            table(["", "the seed's question", "all questions", "role", "certificate", "state"], quality),
        ]
    )


def _load(lake: Path, files: Path) -> tuple[float, float, str]:
    """Seconds until the résumés were searchable and until their index was there, and the embedder's name."""
    with Lakehouse.open(lake, allow=[files]) as opened:
        # The loader process of a server that runs is there already.
        opened.ingest({"text": "a\n1\n", "name": "warm.csv"})
        began = time.perf_counter()
        opened.ingest(files / "resumes.parquet", dataset="resumes", key="worker_id", text=TEXT)
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
        quality = [[way, *await _quality(client, people, way)] for way in WAYS]
    timings = {name: Timing(tuple(seconds)) for name, seconds in taken.items()}
    times = [[name, ms(timing.median), ms(timing.percentile(0.99))] for name, timing in timings.items()]
    return times, quality


async def _quality(client: Client, people: People, way: str) -> list[str]:
    """Shares of the people found who satisfy: the seed's question, all questions, and each part of all."""
    shares: list[float] = []
    parts: dict[str, list[float]] = {"role": [], "certification": [], "state": []}
    for question in _asked(people):
        found = await _found(client, people, question, way)
        missing = [lacks(question, people[worker]) for worker in found]
        shares.append(missing.count([]) / max(1, len(found)))
        for part, values in parts.items():
            values.append(sum(part not in each for each in missing) / max(1, len(found)))
    means = [shares[0], sum(shares) / len(shares), *(sum(values) / len(values) for values in parts.values())]
    return [f"{mean:.2f}" for mean in means]


def _asked(people: People) -> list[Question]:
    """The questions that enough people satisfy for all who are found to be right; the seed's is the first."""
    return [question for question in questions() if len(expected(question, people.values())) >= TOP]


async def _found(client: Client, people: People, question: Question, way: str) -> list[str]:
    """The `worker_id`s that are found, or cited in the answer; a long résumé may be found by several passages."""
    where = _where(question, way)
    if way.startswith("ask"):
        answer = await call(client, "ask", question=question.text, datasets=["resumes"], k=TOP, **where)
        return list(dict.fromkeys(_cited(citation, people) for citation in answer["citations"]))
    answer = await call(
        client, "search", query=question.text, datasets=["resumes"], k=TOP, columns=["worker_id"], **where
    )
    return list(dict.fromkeys(str(hit["columns"]["worker_id"]) for hit in answer["results"]))


def _cited(citation: Mapping[str, Any], people: People) -> str:
    """Who is cited: the quote must be in the résumé of the row that the citation names."""
    person = people[f"W{int(re.search(r'/rows/([0-9]+)', citation['id'])[1]):06}"]  # type: ignore[index]  # ids are ours
    if citation["quote"] not in "\n".join(person[column] for column in TEXT if person[column]):
        raise RuntimeError(f"{citation} is not in the résumé of {person['worker_id']}")
    return str(person["worker_id"])


def _where(question: Question, way: str) -> dict[str, str]:
    state, role = f"state = '{question.state}'", f"role = '{question.role}'"
    if way.endswith("where role and state"):
        return {"where": f"{role} AND {state}"}
    return {"where": state} if way.endswith("where state") else {}
