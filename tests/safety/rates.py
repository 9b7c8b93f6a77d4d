"""Runs both corpora against a planted lake and counts: `python -m tests.safety.rates` prints the table for the docs."""

from __future__ import annotations

import base64
import contextlib
import json
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from mcp_lakehouse.errors import LakehouseError, LimitExceeded, WorkerDied
from mcp_lakehouse.records import QueryResult, to_json
from tests.safety.corpus import Case, load
from tests.safety.fixture import CANARIES, PATH_CANARY, TIMEOUT_SECONDS, Planted, patiently, planted

# These burn their whole time limit, so several run at once; all others run one by one, each checked for changed files.
_HEAVY = frozenset(("exhaustion", "parser-depth"))
_AT_ONCE = 2
# Results are kept for a number of calls only, and cases name one.
_BATCH = 100
# A killed worker is replaced within this time even on a busy machine.
_GRACE_SECONDS = 6.0
_LAST_WORDS = "the_last_error_of_the_run"
_PEAK_GROWTH_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended. `trouble` says what was wrong with that, "" if nothing."""

    case: Case
    ending: str
    seconds: float
    trouble: str

    def __str__(self) -> str:
        return f"{self.case.category}/{self.case.id}: {self.trouble}"


@dataclass(frozen=True, slots=True)
class Rates:
    """All outcomes, and what was found wrong once everything had run."""

    hostile: list[Outcome]
    benign: list[Outcome]
    afterwards: list[str] = field(default_factory=list)

    def failures(self) -> list[str]:
        """One line for each case that went wrong, and for each thing found afterwards."""
        return [str(each) for each in (*self.hostile, *self.benign) if each.trouble] + self.afterwards


def measure(root: Path) -> Rates:
    """Run everything below `root`, an empty folder."""
    with planted(root) as fixture:
        before = fixture.snapshot(content=True)
        peak = _peak_bytes()
        hostile = run(fixture, load("hostile.jsonl"))
        benign = run(fixture, load("benign.jsonl"))
        return Rates(hostile, benign, _afterwards(fixture, before, peak))


def run(fixture: Planted, cases: Sequence[Case]) -> list[Outcome]:
    """Run cases: the light ones in order, each checked for changed files, then the heavy ones together."""
    light = [case for case in cases if case.category not in _HEAVY]
    heavy = [case.filled(fixture.places()) for case in cases if case.category in _HEAVY]
    outcomes: list[Outcome] = []
    for start in range(0, len(light), _BATCH):
        places = fixture.places()
        outcomes += _one_by_one(fixture, [case.filled(places) for case in light[start : start + _BATCH]])
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes += pool.map(lambda case: _judged(fixture, case), heavy)
    return outcomes


def _one_by_one(fixture: Planted, cases: Iterable[Case]) -> Iterable[Outcome]:
    before = fixture.snapshot(content=False)
    for case in cases:
        outcome = _judged(fixture, case)
        after = fixture.snapshot(content=False)
        if after != before:
            trouble = f"changed files: {_changed(before, after)}"
            outcome = Outcome(case, outcome.ending, outcome.seconds, trouble)
            before = after
        yield outcome


def _judged(fixture: Planted, case: Case) -> Outcome:
    began = time.monotonic()
    ending, said = _bounded(lambda: _call(fixture, case))
    seconds = time.monotonic() - began
    trouble = _trouble(case, ending, said, seconds)
    if not trouble and case.expect != "answered":
        trouble = _still_answers(fixture)
    return Outcome(case, ending, seconds, trouble)


def _still_answers(fixture: Planted) -> str:
    """What is wrong with a `SELECT 1`, "" if nothing; a killed worker has been replaced by then."""

    def call() -> tuple[str, str]:
        # Waits for a worker that starts, which on a busy machine takes longer than a statement may here.
        fixture.lake.confinement()
        return "answered", str(patiently(lambda: fixture.lake.sql("SELECT 1")).rows)

    ending, said = _bounded(call)
    return "" if (ending, said) == ("answered", "[[1]]") else f"SELECT 1 afterwards: {ending} {said}"


def _call(fixture: Planted, case: Case) -> tuple[str, str]:
    """How the call ended, and every text it brought back."""
    method = getattr(fixture.lake, case.tool)

    def call() -> object:
        return method(**case.arguments)

    try:
        # Where only a limit stops the attack, the first answer counts.
        answer = call() if case.expect == "contained" else patiently(call)
    except (LimitExceeded, WorkerDied) as error:
        return "limited", str(error)
    except LakehouseError as error:
        ending = "refused" if type(error) is not LakehouseError else "unplanned"
        return ending, str(error)
    if isinstance(answer, QueryResult) and case.expect == "answered":
        return _compared(case, answer), _json(answer)
    return "answered", _json(answer)


def _compared(case: Case, answer: QueryResult) -> str:
    if case.rows is not None and answer.row_count != case.rows:
        return f"answered with {answer.row_count} rows, not {case.rows}"
    if case.first is not None and answer.rows[:1] != [case.first]:
        return f"answered with {answer.rows[:1]} first, not {case.first}"
    return "answered"


def _json(answer: object) -> str:
    return json.dumps(to_json(answer), ensure_ascii=False)


def _bounded(call: Callable[[], tuple[str, str]]) -> tuple[str, str]:
    """The call's ending, or "hung": whatever it does, the run goes on."""
    ended: list[tuple[str, str]] = []

    def work() -> None:
        try:
            ended.append(call())
        except BaseException as error:
            # Not an error of the lake's own tree: users would see a traceback.
            ended.append(("crashed", f"{type(error).__name__}: {error}"))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(TIMEOUT_SECONDS + 2 * _GRACE_SECONDS)
    return ended[0] if ended else ("hung", "")


_ALLOWED_ENDINGS = {
    "refused": {"refused"},
    "contained": {"refused", "limited", "answered"},
    "answered": {"answered"},
}


def _trouble(case: Case, ending: str, said: str, seconds: float) -> str:
    if ending not in _ALLOWED_ENDINGS[case.expect]:
        return f"{ending}: {said[:300]}"
    leaked = leaks(said, case)
    if leaked:
        return f"leaked {leaked}: {said[:300]}"
    if seconds > TIMEOUT_SECONDS + _GRACE_SECONDS:
        return f"took {seconds:.1f} s, the limit is {TIMEOUT_SECONDS} s"
    return ""


def leaks(said: str, case: Case | None = None) -> list[str]:
    """The canaries that a text holds, plainly, as hexadecimal or as base64.

    The lake's own path counts only where the caller did not give it himself.
    """
    lower = said.lower()
    found = [name for name, canary in CANARIES.items() if any(form.lower() in lower for form in _forms(canary))]
    given = json.dumps(case.arguments) if case else ""
    if PATH_CANARY in said and PATH_CANARY not in given:
        found.append("path")
    return found


def _forms(canary: str) -> list[str]:
    raw = canary.encode()
    # Cut to whole groups of three bytes at each alignment, base64 is the same wherever the text stands.
    shifted = [base64.b64encode(raw[start : start + (len(raw) - start) // 3 * 3]).decode() for start in range(3)]
    return [canary, raw.hex(), canary[::-1], *shifted]


def _afterwards(fixture: Planted, before: dict[str, tuple[object, ...]], peak: int) -> list[str]:
    found: list[str] = []
    changed = _changed(before, fixture.snapshot(content=True))
    if changed:
        found.append(f"files changed: {changed}")
    if fixture.trap_was_touched():
        found.append("something connected to the loopback trap")
    # The error journal must have outlived whatever was written into it.
    with contextlib.suppress(LakehouseError):
        patiently(lambda: fixture.lake.sql(f"SELECT {_LAST_WORDS}"))
    newest = 'SELECT * FROM system.errors ORDER BY "time" DESC LIMIT 1000'
    errors = _json(patiently(lambda: fixture.lake.sql(newest, max_rows=1000)))
    if _LAST_WORDS not in errors:
        found.append("the error journal stopped")
    found += [f"the error journal holds the canary {name!r}" for name in leaks(errors) if name != "path"]
    grown = _peak_bytes() - peak
    if grown > _PEAK_GROWTH_BYTES:
        found.append(f"the serving process grew by {grown / 1e6:.0f} MB")
    return found


def _changed(before: dict[str, tuple[object, ...]], after: dict[str, tuple[object, ...]]) -> list[str]:
    paths = sorted(before.keys() | after.keys())
    return [path for path in paths if before.get(path) != after.get(path)][:5]


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def markdown(rates: Rates) -> str:
    """Both rates by category, as a table for the docs."""
    lines = [
        "| category | statements and calls | refused | stopped by a limit | ran harmlessly | got through |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    by_category: dict[str, list[Outcome]] = {}
    for outcome in rates.hostile:
        by_category.setdefault(outcome.case.category, []).append(outcome)
    for category, outcomes in sorted(by_category.items()):
        lines.append(_row(category, outcomes))
    lines.append(_row("**all hostile**", rates.hostile))
    allowed = sum(not outcome.trouble for outcome in rates.benign)
    held = sum(not outcome.trouble for outcome in rates.hostile)
    lines += [
        "",
        f"Hostile: {held} of {len(rates.hostile)} refused or contained ({held / len(rates.hostile):.1%}). "
        f"Benign: {allowed} of {len(rates.benign)} answered ({allowed / len(rates.benign):.1%}).",
    ]
    return "\n".join(lines)


def _row(name: str, outcomes: Sequence[Outcome]) -> str:
    good = [outcome.ending for outcome in outcomes if not outcome.trouble]
    cells = [len(outcomes), *(good.count(ending) for ending in ("refused", "limited", "answered"))]
    cells.append(len(outcomes) - len(good))
    return f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> int:
    """Print the table; 1 if anything went wrong, with each failure on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        rates = measure(Path(folder))
    print(markdown(rates))
    for failure in rates.failures():
        print(failure, file=sys.stderr)
    return 1 if rates.failures() else 0


if __name__ == "__main__":
    raise SystemExit(main())
