"""The embedder that is always there: its vectors, texts without words, and what it must not import."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput
from mcp_lakehouse.llm import Embedder, open_embedder
from mcp_lakehouse.llm import wordllama as module

SENTENCES = [
    "A forklift operator with OSHA-10.",
    "Certified to drive a lift truck.",
    "Boil the pasta for nine minutes.",
]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return open_embedder("wordllama", cache=tmp_path_factory.mktemp("cache"))


def test_vectors_have_length_one_and_near_texts_are_near(embedder: Embedder) -> None:
    vectors = embedder.embed(SENTENCES)
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, embedder.dimensions) == (3, 256)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_vectors_are_those_of_the_library_that_ships_the_weights(embedder: Embedder) -> None:
    script = """
import json, sys, wordllama
from pathlib import Path
model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
json.dump(model.embed(json.load(sys.stdin), norm=True).tolist(), sys.stdout)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(SENTENCES), capture_output=True, text=True, check=True
    )
    assert np.allclose(embedder.embed(SENTENCES), np.array(json.loads(done.stdout)), atol=1e-5)


@pytest.mark.parametrize("text", ["", "   \n\t", "\x00\x07\x1b", "\U0001fae8", "\ud800"], ids=ascii)
def test_a_text_without_words_gives_the_zero_vector(embedder: Embedder, text: str) -> None:
    vectors = embedder.embed([text, "word", text])
    assert np.array_equal(np.linalg.norm(vectors, axis=1) > 0, [False, True, False])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "word " * 200_000, "half \ud800 pair", "<s> </s> struck"],
    ids=["one word", "long", "surrogate", "marks"],
)
def test_any_text_has_a_vector(embedder: Embedder, text: str) -> None:
    assert np.linalg.norm(embedder.embed([text])[0]) == pytest.approx(1, abs=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 256)


def test_a_text_has_the_same_vector_alone_and_among_many(embedder: Embedder) -> None:
    many = [f"{sentence} {number}" for number in range(200) for sentence in SENTENCES]
    done: list[int] = []
    together = embedder.embed(many, progress=done.append)
    assert np.array_equal(together[599], embedder.embed(many[599:])[0])
    assert done == [256, 512, 600]


def test_threads_do_not_disturb_each_other(embedder: Embedder) -> None:
    alone = embedder.embed(SENTENCES)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(embedder.embed, [SENTENCES] * 40):
            assert np.array_equal(vectors, alone)


def test_a_cancelled_call_ends(embedder: Embedder) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        embedder.embed(["word"] * 1000, cancel=cancel, progress=lambda _done: cancel.cancel())


def test_the_model_is_named_after_the_bytes_of_its_weights(embedder: Embedder) -> None:
    assert embedder.model == "wordllama-256@4d243a4b2dae"


def test_a_missing_file_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "wordllama").mkdir()
    (tmp_path / "wordllama" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidInput, match=r"lacks weights/.*\nhint: install mcp-lakehouse again"):
        module.WordLlama.load()


def test_loading_brings_no_http_client_and_leaves_logging_alone() -> None:
    script = """
import logging, sys
from pathlib import Path
from mcp_lakehouse.llm import open_embedder
open_embedder("wordllama", cache=Path()).embed(["word"])
print(sorted({"wordllama", "requests", "httpx", "socket"} & set(sys.modules)), logging.root.handlers)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
