"""A sample of the kills that `python -m tests.proofs crash` does at every write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.proofs.crash import trials
from tests.proofs.places import empty_place

# The whole takes an hour.
SAMPLE = {"folder": ("upsert", 1), "s3": ("build and publish", 1)}


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_kill_at_any_write_leaves_whole_versions_and_work_that_can_be_repeated(
    kind: str, tmp_path: Path, s3_environment: Mapping[str, str]
) -> None:
    case, kills = SAMPLE[kind]
    with empty_place(kind, tmp_path, s3_environment) as origin:
        (trial,) = trials(origin, [case], most=kills)
    assert trial.faults == []
    assert trial.kills == kills
