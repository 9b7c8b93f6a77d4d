"""Static word vectors, averaged: small, quick, always installed.

The package wordllama is used for its files alone: importing it sets up the root logger and brings an HTTP
client that fetches what it does not find.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open
from tokenizers import Tokenizer

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.llm.embedder import WORDLLAMA
from mcp_lakehouse.llm.vectors import unit_rows
from mcp_lakehouse.llm.weights import clean, package_file, sha256_of

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Vectors

_HINT = "install mcp-lakehouse again: wordllama is one of its dependencies"
_TEXTS_AT_ONCE = 256
# Windows of a document are a hundredth of this; only a query or a cell can be longer.
_CHARS = 20_000
# <unk>, <s>, </s> and the 256 single bytes that stand for characters outside the vocabulary.
_NO_WORDS = 259
_SPACE, _LONGEST_SPACE = "\u2581", 16


class WordLlama:
    """wordllama's `l2_supercat` vectors with 256 dimensions."""

    spec = WORDLLAMA
    share = 0.4
    floor = 0.3

    def __init__(self, table: Vectors, tokenizer: Tokenizer, digest: str) -> None:
        self._table = table
        self._tokenizer = tokenizer
        self._known = np.ones(len(table), dtype=np.bool_)
        self._known[:_NO_WORDS] = False
        for length in range(1, _LONGEST_SPACE + 1):
            self._known[tokenizer.token_to_id(_SPACE * length) or 0] = False
        self.dimensions = table.shape[1]
        self.model = f"{WORDLLAMA}-{self.dimensions}@{digest[:12]}"

    @classmethod
    def load(cls) -> WordLlama:
        """Read it from the installed package. Raises `InvalidInput` where that is not whole."""
        weights = package_file("wordllama", "weights", "l2_supercat_256.safetensors", hint=_HINT)
        words = package_file("wordllama", "tokenizers", "l2_supercat_tokenizer_config.json", hint=_HINT)
        with safe_open(weights, framework="np") as file:
            table = np.ascontiguousarray(file.get_tensor("embedding.weight"), dtype=np.float32)
        tokenizer = Tokenizer.from_file(str(words))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # "<s>" in a text is text.
        tokenizer.encode_special_tokens = True
        return cls(table, tokenizer, sha256_of(weights, words))

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Vectors:
        """As `Embedder.embed`."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            if cancel is not None:
                cancel.check()
            batch = [clean(text, _CHARS) for text in texts[start : start + _TEXTS_AT_ONCE]]
            for row, words in enumerate(self._tokenizer.encode_batch_fast(batch, add_special_tokens=False), start):
                ids = np.array(words.ids, dtype=np.int64)
                if self._known[ids].any():
                    self._table[ids].mean(axis=0, out=vectors[row])
            if progress is not None:
                progress(min(start + _TEXTS_AT_ONCE, len(texts)))
        return unit_rows(vectors)

    def close(self) -> None:
        """Nothing is kept open."""
