"""Retrieval quality: nDCG@10 and recall@100 of keywords, vectors, reciprocal rank fusion, and hybrid search.

The same parts that a search is made of, without the lake around them: a document is its title and its text,
joined by a line break; `spans` cuts it, the keyword index and the embedder see the passages, `score` fuses
them, and a document counts by its best passage. Nothing is tuned here: the share of the vectors is what each
embedder was measured to need on other collections, passages are 200 tokens with 50 overlap, and there is one
analyser for every text. Choices that were made before these figures, and why: identifiers count as their parts
too (helps code, changes nothing in prose), letters and digits part (`IL2` finds `IL-2`), long documents count
by their best window, titles are simply text.

The collections are not part of the repository: LAKEHOUSE_BENCH_DATA names the folder that holds `cranfield`
and `scifact_train` (the training queries of SciFact), each as corpus.jsonl, queries.jsonl and qrels.tsv.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import table
from mcp_lakehouse.errors import LakehouseError
from mcp_lakehouse.index.chunking import spans
from mcp_lakehouse.index.fusion import score, share_for
from mcp_lakehouse.index.keywords import Keywords
from mcp_lakehouse.llm.embedder import Embedder, open_embedder

DATA = Path(os.environ.get("LAKEHOUSE_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SETS = ("cranfield", "scifact_train")
EMBEDDERS = ("wordllama", "minilm")
DEPTH = 100
# As many of each kind as a search for 100 hits weighs (limits.py).
CANDIDATES = 500
RRF_K = 60
# Passages from which the documents of a single list are taken: a document may have several.
LIST_PASSAGES = 500

Floats = NDArray[np.float32]
Ranking = Sequence[str]
"""Document ids, best first."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, queries and judgements (query -> document -> grade above 0)."""

    name: str
    documents: Mapping[str, str]
    queries: Mapping[str, str]
    judged: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all judged queries, 0 to 1."""

    ndcg_10: float
    recall_100: float

    def __str__(self) -> str:
        return f"{self.ndcg_10:.3f} / {self.recall_100:.3f}"


def run(folder: Path) -> str:
    """The Markdown section."""
    missing = [name for name in SETS if not (DATA / name / "corpus.jsonl").is_file()]
    if missing:
        return f"### Retrieval quality\n\nNot measured: {', '.join(missing)} missing in LAKEHOUSE_BENCH_DATA."
    rows = []
    for name in SETS:
        collection = read(DATA / name)
        passages = Passages.of(collection)
        words = _keyword_scores(collection, passages, folder / name)
        for spec in EMBEDDERS:
            try:
                embedder = open_embedder(spec, cache=folder / "models")
            except LakehouseError:
                rows.append([name, spec, "not installed", "", "", ""])
                continue
            measured = compare(collection, passages, words, embedder)
            rows.append([name, spec, *(str(each) for each in measured.values())])
            embedder.close()
    head = ["nDCG@10 / recall@100", "embedder", "keywords", "vectors", f"RRF-{RRF_K}", "hybrid"]
    return "### Retrieval quality\n\n" + table(head, rows)


def read(folder: Path) -> Collection:
    """A collection from corpus.jsonl, queries.jsonl and qrels.tsv."""
    documents = {each["_id"]: f"{each['title']}\n{each['text']}" for each in _lines(folder / "corpus.jsonl")}
    queries = {each["_id"]: each["text"] for each in _lines(folder / "queries.jsonl")}
    judged: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            judged.setdefault(query, {})[document] = int(grade)
    return Collection(folder.name, documents, {key: queries[key] for key in judged}, judged)


@dataclass(frozen=True, slots=True)
class Passages:
    """All passages of a collection and the document each is of."""

    texts: Sequence[str]
    documents: Sequence[str]

    @classmethod
    def of(cls, collection: Collection) -> Passages:
        """Cut as a dataset's rows are."""
        cut = [(key, text[start:end]) for key, text in collection.documents.items() for start, end in spans(text)]
        return cls([text for _, text in cut], [key for key, _ in cut])

    def ranking(self, positions: Iterable[int], scores: Floats) -> Ranking:
        """Documents by their best passage; `positions` and `scores` belong together."""
        places = list(positions)
        order = np.argsort(-scores, kind="stable")
        return list(dict.fromkeys(self.documents[places[at]] for at in order))[:DEPTH]


def compare(
    collection: Collection, passages: Passages, words: Mapping[str, Mapping[int, float]], embedder: Embedder
) -> dict[str, Measured]:
    """Each way to rank, measured. `words`: query -> passage -> BM25, best first."""
    vectors = embedder.embed(passages.texts)
    average = vectors.mean(axis=0)
    rankings: dict[str, dict[str, Ranking]] = {"keywords": {}, "vectors": {}, "rrf": {}, "hybrid": {}}
    asked = embedder.embed(list(collection.queries.values()))
    for query, vector in zip(collection.queries, asked, strict=True):
        cosines = vectors @ vector
        by_words, by_vector = words[query], np.argsort(-cosines, kind="stable")
        keyword = passages.ranking(by_words, np.fromiter(by_words.values(), np.float32, len(by_words)))
        dense = passages.ranking(by_vector[:LIST_PASSAGES], cosines[by_vector[:LIST_PASSAGES]])
        best_words = dict(list(by_words.items())[:CANDIDATES])
        candidates = sorted(best_words.keys() | set(by_vector[:CANDIDATES].tolist()))
        bm25 = np.array([best_words.get(each, 0.0) for each in candidates], np.float32)
        share = share_for(collection.queries[query], embedder.share)
        fused = score("hybrid", cosines[candidates], bm25, float(average @ vector), share)
        rankings["keywords"][query], rankings["vectors"][query] = keyword, dense
        rankings["rrf"][query] = reciprocal_ranks(keyword, dense)
        rankings["hybrid"][query] = passages.ranking(candidates, fused)
    return {name: measure(collection, each) for name, each in rankings.items()}


def reciprocal_ranks(*rankings: Ranking) -> Ranking:
    """Reciprocal rank fusion (Cormack, Clarke, Buettcher 2009) with the usual constant."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, 1):
            scores[document] = scores.get(document, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda document: -scores[document])[:DEPTH]


def measure(collection: Collection, rankings: Mapping[str, Ranking]) -> Measured:
    """nDCG@10 with the grades as gains, and recall@100, as trec_eval counts them."""
    gains, found = [], []
    for query, grades in collection.judged.items():
        ranking = rankings[query]
        ideal = _discounted(sorted(grades.values(), reverse=True)[:10])
        gains.append(_discounted([grades.get(document, 0) for document in ranking[:10]]) / ideal)
        found.append(sum(document in grades for document in ranking[:100]) / len(grades))
    return Measured(mean(gains), mean(found))


def _discounted(grades: Sequence[int]) -> float:
    return float(sum(grade / np.log2(rank + 1) for rank, grade in enumerate(grades, 1)))


def _keyword_scores(collection: Collection, passages: Passages, folder: Path) -> dict[str, dict[int, float]]:
    with Keywords(folder) as keywords:
        keywords.add("passages", passages.texts)
        keywords.commit()
        return {
            query: {number: bm25 for _, number, bm25 in keywords.search(text, LIST_PASSAGES)}
            for query, text in collection.queries.items()
        }


def _lines(path: Path) -> Iterable[dict[str, str]]:
    return (json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line)
