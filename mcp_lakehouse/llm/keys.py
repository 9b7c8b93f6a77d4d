"""Keys of endpoints: from the environment and from nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def first_key(environment: Mapping[str, str], variables: Sequence[str]) -> str | None:
    """The first of these variables that is set, without the spaces and the line end that come with pasting."""
    return next((value for name in variables if (value := environment.get(name, "").strip())), None)
