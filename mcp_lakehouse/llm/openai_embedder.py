"""Vectors from any endpoint that speaks OpenAI's `/embeddings`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mcp_lakehouse import trace
from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import ModelFailed
from mcp_lakehouse.llm.embedder import OPENAI
from mcp_lakehouse.llm.endpoint import CallLimits, parse, with_key, wrong_shape
from mcp_lakehouse.llm.keys import first_key
from mcp_lakehouse.llm.posting import Json, Poster
from mcp_lakehouse.llm.vectors import unit_rows
from mcp_lakehouse.tracing import names

if TYPE_CHECKING:
    from mcp_lakehouse.llm.embedder import Vectors

KEYS = ("LAKEHOUSE_EMBEDDER_KEY", "OPENAI_API_KEY")
_TEXTS_AT_ONCE = 64
# Fewer than the 8,191 tokens such endpoints take, whatever the script.
_CHARS = 8_000
_LIMITS = CallLimits(idle_seconds=60.0, total_seconds=120.0)
_MOST_DIMENSIONS = 8_192


class OpenAiEmbedder:
    """`openai:MODEL@BASE_URL`. How many dimensions there are is learnt from the first answer."""

    share = 0.5
    floor = 0.25

    def __init__(self, poster: Poster) -> None:
        self._poster = poster
        self._endpoint = poster.endpoint
        self._lock = threading.Lock()
        self._dimensions: int | None = None
        self.spec = f"{OPENAI}{self._endpoint.model}@{self._endpoint.base_url}"
        self.model = self.spec

    @classmethod
    def open(cls, spec: str, environment: Mapping[str, str], limits: CallLimits = _LIMITS) -> OpenAiEmbedder:
        """Nothing is sent yet. Raises `InvalidInput` for a spec that is none."""
        key = first_key(environment, KEYS)
        return cls(
            Poster(with_key(parse(spec, "openai", limits=limits), key, header="authorization", prefix="Bearer "))
        )

    @property
    def dimensions(self) -> int:
        """Length of every vector; asks the endpoint where that is not known yet."""
        if self._dimensions is None:
            self._ask(["dimensions"], None)
        assert self._dimensions is not None
        return self._dimensions

    def embed(
        self,
        texts: Sequence[str],
        *,
        cancel: CancelToken | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Vectors:
        """As `Embedder.embed`. Raises what `Poster.posted` does, and `ModelFailed` for vectors of a wrong shape."""
        # Endpoints refuse empty texts; they have nothing to say anyway.
        said = [row for row, text in enumerate(texts) if text.strip()]
        found: list[Vectors] = []
        for start in range(0, len(said), _TEXTS_AT_ONCE):
            rows = said[start : start + _TEXTS_AT_ONCE]
            found.append(self._ask([_sent(texts[row]) for row in rows], cancel))
            if progress is not None:
                progress(rows[-1] + 1)
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        if found:
            vectors[said] = np.concatenate(found)
        if progress is not None and (not said or said[-1] + 1 < len(texts)):
            progress(len(texts))
        return unit_rows(vectors)

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, texts: Sequence[str], cancel: CancelToken | None) -> Vectors:
        body = {"model": self._endpoint.model, "input": list(texts), "encoding_format": "float"}
        attributes = {
            names.GEN_AI_OPERATION: "embeddings",
            names.GEN_AI_PROVIDER: "openai",
            names.GEN_AI_REQUEST_MODEL: self._endpoint.model,
        }
        with (
            trace.span(f"embeddings {self._endpoint.model}", rows=len(texts), **attributes),
            self._poster.posted("/embeddings", body, cancel=cancel) as answer,
        ):
            vectors = self._vectors(answer.json(), len(texts))
        with self._lock:
            if self._dimensions is None:
                self._dimensions = vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise ModelFailed(
                f"{self._endpoint.host} gave vectors of {vectors.shape[1]} numbers where it gave {self._dimensions} "
                "before",
                hint="the model behind that address was changed: build the index again",
            )
        return vectors

    def _vectors(self, said: Json, count: int) -> Vectors:
        try:
            rows = {int(each["index"]): each["embedding"] for each in said["data"]}
            listed = list(_in_order(rows, count))
            vectors = np.array(listed, dtype=np.float32)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise wrong_shape(self._endpoint, f"not {count} vectors") from None
        if vectors.ndim != 2 or not 0 < vectors.shape[1] <= _MOST_DIMENSIONS:
            raise wrong_shape(self._endpoint, f"not {count} vectors of one length up to {_MOST_DIMENSIONS}")
        if not np.isfinite(vectors).all():
            raise wrong_shape(self._endpoint, "not made of finite numbers")
        return vectors


def _in_order(rows: Mapping[int, Json], count: int) -> Iterator[Json]:
    if len(rows) != count:
        raise ValueError(f"{len(rows)} rows")
    for index in range(count):
        if not isinstance(rows[index], list):
            raise TypeError("not a list")
        yield rows[index]


def _sent(text: str) -> str:
    return text[:_CHARS].encode("utf-8", "replace").decode("utf-8")
