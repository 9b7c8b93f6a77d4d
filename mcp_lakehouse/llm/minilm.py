"""all-MiniLM-L6-v2 in int8 on onnxruntime, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput
from mcp_lakehouse.llm.embedder import INSTALL_MINILM, MINILM, missing_for_minilm
from mcp_lakehouse.llm.minilm_model import MODEL, converted, tokenizer_file
from mcp_lakehouse.llm.vectors import unit_rows
from mcp_lakehouse.llm.weights import clean

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from mcp_lakehouse.llm.embedder import Vectors

# The model was trained on no more; the rest of a text is not looked at.
TOKENS = 256
# Far more than these tokens ever take, so that a huge text costs no more than its beginning.
_CHARS = 20_000
# Texts whose tokens are held at once; and the padded tokens of one run, few enough for the processor's cache (4,096
# are a tenth slower).
_TEXTS_AT_ONCE, _TOKENS_AT_ONCE = 1024, 1024
# [PAD], [UNK], [CLS], [SEP], [MASK] and unused numbers between them.
_LAST_SPECIAL = 103


class MiniLm:
    """The default embedder where its weights are installed: 384 dimensions."""

    spec = MINILM
    model = MODEL
    dimensions = 384
    share = 0.5
    floor = 0.3

    def __init__(self, session: InferenceSession, tokenizer: Tokenizer) -> None:
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, cache: Path) -> MiniLm:
        """Open it; the first time it is converted, which takes some seconds, and kept below `cache`.

        Raises `InvalidInput` where something it needs is missing or is not what was pinned.
        """
        missing = missing_for_minilm()
        if missing:
            raise InvalidInput(
                f"the embedder {MINILM} is not installed: {', '.join(missing)} missing", hint=INSTALL_MINILM
            )
        import onnxruntime
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(tokenizer_file()))
        tokenizer.no_padding()
        tokenizer.enable_truncation(TOKENS)
        # "[SEP]" in a text is text.
        tokenizer.encode_special_tokens = True
        options = onnxruntime.SessionOptions()
        # Threads that wait by spinning take the processor from everyone else.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(converted(cache), options, providers=["CPUExecutionProvider"])
        return cls(session, tokenizer)

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Vectors:
        """As `Embedder.embed`."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        done = 0
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            block = [clean(text, _CHARS) for text in texts[start : start + _TEXTS_AT_ONCE]]
            tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(block)]
            for rows in _batches(tokens):
                if cancel is not None:
                    cancel.check()
                known = [row for row in rows if max(tokens[row]) > _LAST_SPECIAL]
                if known:
                    vectors[[start + row for row in known]] = self._means([tokens[row] for row in known])
                done += len(rows)
                if progress is not None:
                    progress(done)
        return unit_rows(vectors)

    def close(self) -> None:
        """The session goes with this object; there is nothing else."""

    def _means(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        shape = (len(tokens), max(map(len, tokens)))
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int32)
        for row, numbers in enumerate(tokens):
            ids[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        (means,) = self._session.run(["mean"], {"ids": ids, "mask": mask})
        found: Vectors = means
        return found


def _batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Rows by length, longest first, in groups of at most `_TOKENS_AT_ONCE` with their padding."""
    rows = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    start = 0
    while start < len(rows):
        count = max(1, _TOKENS_AT_ONCE // len(tokens[rows[start]]))
        yield rows[start : start + count]
        start += count
