"""Vectors of real texts for the benchmarks, kept between runs because embedding them takes minutes.

`LAKEHOUSE_BENCH_DATA` names a folder of retrieval collections (`NAME/corpus.jsonl` with `title` and `text`). Without it
the vectors are made up, and the page says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcp_lakehouse.llm.embedder import open_embedder

KEPT = Path(__file__).resolve().parent.parent / "build" / "bench"
DIMENSIONS = 384
WORDS, STEP = 22, 11
QUERIES = 1_000
# What the made-up vectors are like: clusters, and a spread that fades over the directions as that of texts does.
CLUSTERS = 200
_AT_ONCE = 2_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """`vectors` are those of `texts`, in order; `queries` those of `asked`; `source` says where from."""

    vectors: Floats
    queries: Floats
    texts: list[str]
    asked: list[str]
    groups: NDArray[np.int64]
    source: str


def corpus(count: int, embedder: str = "minilm") -> Corpus:
    """As many vectors as asked for, real ones where there are texts enough."""
    given = os.environ.get("LAKEHOUSE_BENCH_DATA")
    found = sorted({text: group for group, text in windows(Path(given))}.items()) if given else []
    if len(found) < count + QUERIES:
        return made_up(count)
    order = np.random.default_rng(0).permutation(len(found))[: count + QUERIES]
    texts = [found[place][0] for place in order]
    names = sorted({group for _, group in found})
    groups = np.array([names.index(found[place][1]) for place in order[:count]])
    vectors, model = _embedded(texts, embedder)
    source = f"{count:,} distinct pieces of {WORDS} words, half overlapping, of {', '.join(names)}, embedded by {model}"
    return Corpus(vectors[:count], vectors[count:], texts[:count], texts[count:], groups, source)


def windows(folder: Path) -> Iterator[tuple[str, str]]:
    """(collection, piece of a text) for all collections below the folder."""
    for path in sorted(folder.glob("*/corpus.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                words = f"{document.get('title') or ''} {document['text']}".split()
                for start in range(0, max(1, len(words) - STEP), STEP):
                    yield path.parent.name, " ".join(words[start : start + WORDS])


def made_up(count: int, *, dimensions: int = DIMENSIONS, seed: int = 0) -> Corpus:
    """Vectors in clusters, and queries from the same clusters."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((CLUSTERS, dimensions), dtype=np.float32)
    turned = np.linalg.qr(random.standard_normal((dimensions, dimensions)))[0].astype(np.float32)
    fading = (1 / np.sqrt(1 + np.arange(dimensions) / 16)).astype(np.float32)[:, None] * turned
    groups = random.integers(0, CLUSTERS, count + QUERIES)
    vectors = np.empty((count + QUERIES, dimensions), np.float32)
    for start in range(0, len(vectors), 50_000):
        place = slice(start, min(start + 50_000, len(vectors)))
        own = random.standard_normal((place.stop - start, dimensions), dtype=np.float32) @ fading
        vectors[place] = normalised(centres[groups[place]] + 2 * own)
    texts = [f"row {number} of group {groups[number]}" for number in range(len(vectors))]
    source = f"{count:,} made-up vectors in clusters"
    return Corpus(vectors[:count], vectors[count:], texts[:count], texts[count:], groups[:count], source)


def perturbed(base: Corpus, copies: int) -> Corpus:
    """More vectors, from real ones: each copy is moved by a share of the difference of two others."""
    random = np.random.default_rng(1)
    count = len(base.vectors)
    pieces = [base.vectors]
    for _ in range(copies - 1):
        one, other = (base.vectors[random.permutation(count)] for _ in range(2))
        pieces.append(normalised(base.vectors + np.float32(0.35) * (one - other)))
    return Corpus(
        np.concatenate(pieces),
        base.queries,
        # Not longer than it was: each stays one passage.
        [f"{text.rsplit(' ', 1)[0]} {copy}" for copy in range(copies) for text in base.texts],
        base.asked,
        np.tile(base.groups, copies),
        f"{copies * count:,} vectors: {base.source}, and {copies - 1} copies of each, moved at random",
    )


def normalised(vectors: Floats) -> Floats:
    """Rows of length one."""
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _embedded(texts: list[str], spec: str) -> tuple[Floats, str]:
    KEPT.mkdir(parents=True, exist_ok=True)
    embedder = open_embedder(spec, cache=KEPT)
    name = hashlib.sha256("\n".join([embedder.model, *texts]).encode()).hexdigest()[:16]
    path = KEPT / f"{name}.f32"
    row = 4 * embedder.dimensions
    with path.open("ab") as file:
        # A run that was broken off goes on where it was.
        done = file.tell() // row
        file.truncate(done * row)
        for start in range(done, len(texts), _AT_ONCE):
            print(f"embedding {start:,} of {len(texts):,}", file=sys.stderr, flush=True)
            file.write(embedder.embed(texts[start : start + _AT_ONCE]).tobytes())
            file.flush()
    return np.fromfile(path, np.float32).reshape(len(texts), embedder.dimensions), embedder.model
