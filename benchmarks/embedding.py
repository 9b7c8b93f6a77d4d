"""How many passages a second each local embedder takes, of texts that the project makes."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import mean

import pyarrow.parquet as pq

from benchmarks.measure import interleave, ms, table
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.index.chunking import spans
from mcp_lakehouse.index.units import estimate
from mcp_lakehouse.llm.embedder import Embedder, open_embedder
from mcp_lakehouse.story.making import make_story

EMBEDDERS = ("wordllama", "minilm")
RESUMES = 250
ROUNDS = 3
QUESTION = "find me a forklift operator with OSHA-10 in IL"


def run(folder: Path) -> str:
    """The Markdown section."""
    make_story(folder / "story", workers=3 * RESUMES, resumes=RESUMES, seed=1)
    texts = pq.read_table(folder / "story" / "resumes.parquet")["resume_text"].to_pylist()
    passages = [text[start:end] for text in texts for start, end in spans(text)]
    rows = []
    for spec in EMBEDDERS:
        try:
            embedder = open_embedder(spec, cache=folder / "models")
        except LakehouseError:
            rows.append([spec, "not installed", "", ""])
            continue
        rows.append([embedder.model, *_measured(embedder, passages)])
        embedder.close()
    return (
        f"### Embedding\n\n{len(passages)} passages of résumés, about {mean(map(estimate, passages)):.0f} tokens each; "
        f"medians of {ROUNDS} rounds.\n\n"
    ) + table(["embedder", "passages a second", "for each CPU-second", "one question, p50 ms"], rows)


def _measured(embedder: Embedder, passages: list[str]) -> list[str]:
    spent = time.process_time()
    whole = interleave({"all": lambda: embedder.embed(passages)}, rounds=ROUNDS)["all"]
    spent = (time.process_time() - spent) / (ROUNDS + 1)
    question = interleave({"one": lambda: embedder.embed([QUESTION])}, rounds=50)["one"]
    return [f"{len(passages) / whole.median:,.0f}", f"{len(passages) / spent:,.0f}", ms(question.median)]
