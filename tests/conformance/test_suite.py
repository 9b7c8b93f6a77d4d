"""The official conformance suite against our server over HTTP, at both protocol revisions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conformance.node import Node

# Each revision's required scenarios, frozen when it was released.
REQUIRED = {"2026-07-28": 37, "2025-11-25": 30}
# Those that mean something without fixtures, and the revisions in which they apply.
BOTH = ("2025-11-25", "2026-07-28")
MEANINGFUL = {
    "server-initialize": BOTH[:1],
    "server-session-lifecycle": BOTH[:1],
    "ping": BOTH[:1],
    "tools-list": BOTH,
    "resources-list": BOTH,
    "prompts-list": BOTH,
    "completion-complete": BOTH,
    "dns-rebinding-protection": BOTH,
    "server-sse-multiple-streams": BOTH,
    "server-stateless": BOTH[1:],
    "sep-2164-resource-not-found": BOTH[1:],
    "caching": BOTH[1:],
    "http-header-validation": BOTH[1:],
    "input-required-result-unsupported-methods": BOTH[1:],
}
# Two checks can only be made with a tool that needs a capability; ours need none.
EXPECTED_FAILURES = """\
server:
  - server-stateless:sep-2575-server-rejects-undeclared-capability
  - server-stateless:sep-2575-missing-capability-http-400
"""
_SCORE = re.compile(r"^(✓|✗) ([\w-]+): (\d+) passed, (\d+) failed", re.MULTILINE)


@pytest.mark.parametrize("revision", REQUIRED)
def test_every_scenario_that_a_revision_requires_passes(node: Node, with_fixtures: str, revision: str) -> None:
    done = node.conformance("server", "--url", with_fixtures, "--requirements", revision)
    assert done.status == 0, done.output[-4000:]
    scored, _, rest = done.output.partition("Not scored for")
    unscored = {name for _, name in re.findall(r"^  (✓|✗) ([\w-]+) \(", rest, re.MULTILINE)}
    results = {name: (int(passed), int(failed)) for _, name, passed, failed in _SCORE.findall(scored)}
    required = {name: result for name, result in results.items() if name not in unscored}
    assert len(required) == REQUIRED[revision]
    assert {name: result for name, result in required.items() if result[0] == 0 or result[1] > 0} == {}


@pytest.mark.parametrize(
    ("scenario", "revision"),
    [(scenario, revision) for scenario, revisions in MEANINGFUL.items() for revision in revisions],
)
def test_the_server_as_it_is_passes(node: Node, as_it_is: str, tmp_path: Path, scenario: str, revision: str) -> None:
    baseline = tmp_path / "expected.yml"
    baseline.write_text(EXPECTED_FAILURES)
    arguments = ["--scenario", scenario, "--spec-version", revision]
    if scenario == "server-stateless":
        arguments += ["--expected-failures", str(baseline)]
    done = node.conformance("server", "--url", as_it_is, *arguments)
    assert done.status == 0, done.output[-4000:]
    assert "SKIPPED: scenario" not in done.output
    assert "SUCCESS" in done.output
