"""all-MiniLM-L6-v2 in plain numpy, float32, one text at a time: what the quick one must agree with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def mean_of_tokens(weights: Mapping[str, Array], ids: Sequence[int]) -> Array:
    """The unit vector of a text, given its token numbers ([CLS] and [SEP] among them)."""
    embeddings = "embeddings."
    hidden = weights[f"{embeddings}word_embeddings.weight"][list(ids)]
    hidden = hidden + weights[f"{embeddings}position_embeddings.weight"][: len(ids)]
    hidden = hidden + weights[f"{embeddings}token_type_embeddings.weight"][0]
    hidden = _normalised(weights, f"{embeddings}LayerNorm", hidden)
    for layer in range(6):
        prefix = f"encoder.layer.{layer}."
        query, key, value = (
            _dense(weights, f"{prefix}attention.self.{name}", hidden).reshape(len(ids), 12, 32).swapaxes(0, 1)
            for name in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / np.float32(math.sqrt(32))
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True) @ value).swapaxes(0, 1).reshape(len(ids), 384)
        attended = _dense(weights, f"{prefix}attention.output.dense", seen)
        hidden = _normalised(weights, f"{prefix}attention.output.LayerNorm", hidden + attended)
        wide = _dense(weights, f"{prefix}intermediate.dense", hidden)
        wide = wide * 0.5 * (1 + _erf(wide / np.float32(math.sqrt(2))))
        hidden = _normalised(
            weights, f"{prefix}output.LayerNorm", hidden + _dense(weights, f"{prefix}output.dense", wide)
        )
    mean: Array = hidden.mean(axis=0)
    return mean / np.linalg.norm(mean)


def _dense(weights: Mapping[str, Array], name: str, given: Array) -> Array:
    return given @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _normalised(weights: Mapping[str, Array], name: str, given: Array) -> Array:
    centred = given - given.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def _erf(given: Array) -> Array:
    """The error function to 2e-7 (Abramowitz and Stegun 7.1.26)."""
    t = 1 / (1 + 0.3275911 * np.abs(given))
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(given) * (1 - polynomial * np.exp(-(given**2)))
