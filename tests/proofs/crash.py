"""Kills a process at each write of each kind of work, and looks every time what became of the lake.

After each kill a fresh process opens the lake, checks that every version is whole and that readers see the state
before the work or the one after it and nothing between, searches, does the work again, and checks that it holds.
"""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.proofs.crash_cases import CASES, SOURCES
from tests.proofs.places import Place, empty_place
from tests.proofs.report import Section, table, wrapped

Seen = dict[str, Any]
_VERSIONS = " versions"
_OWN = "renames, links, removals, new folders and openings for writing below the lake and its cache"
_WRITES = {
    "folder": _OWN,
    "s3": f"requests that change the bucket (of the S3 test server), before and after each, and {_OWN.replace('the lake and ', '')}",
}


@dataclass
class Trial:
    """What came of killing one kind of work."""

    kind: str
    case: str
    writes: int
    kills: int = 0
    states: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def told(place: Place, *arguments: object) -> Any:
    """What a process of `crash_process` prints. Raises where it fails."""
    process = place.start("crash_process", *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err[-3_000:]
    return json.loads(out)


def made(place: Place) -> Seen:
    """Make the lake that all cases begin with; returns what a reader sees."""
    for name, text in SOURCES.items():
        (place.files / name).write_text(text)
    seen: Seen = told(place, "make")
    return seen


def state(seen: Seen) -> Seen:
    """What is seen of the newest versions."""
    return {name: value for name, value in seen.items() if not name.endswith(_VERSIONS)}


def fault(seen: Seen, before: Seen, after: Seen, *, done: bool) -> str | None:
    """What is wrong with what is seen after a kill, or after the work was `done` again."""
    allowed = [state(after)] if done else [state(before), state(after)]
    if state(seen) not in allowed:
        return f"seen {state(seen)}, expected {' or '.join(map(str, allowed))}"
    for name in (name for name in seen if name.endswith(_VERSIONS)):
        old, new = before.get(name, []), after.get(name) or before.get(name, [])
        # A version may go if the work takes it away.
        gone = [number for number, sums in enumerate(new) if sums is None]
        if any(now != then and not (now is None and number in gone)
               for number, (now, then) in enumerate(zip(seen[name], old, strict=False))):  # fmt: skip
            return f"{name}: {seen[name]}, there were {old}"
        if len(seen[name]) < len(old):
            return f"{name}: {len(seen[name])} versions, there were {len(old)}"
        if any(sums not in new for sums in seen[name][len(old) :]):
            return f"{name}: {seen[name]}, there should be {new}"
    return None


def kill(origin: Place, trial: Trial, step: int, before: Seen, after: Seen) -> None:
    """Kill the work at one step, and note what came of it."""
    place = origin.copied(f"{origin.folder.name}-{trial.case.replace(' ', '-')}-{step}")
    process = place.start("crash_process", "work", trial.case, step)
    _, err = process.communicate()
    if process.returncode == -signal.SIGKILL:
        trial.kills += 1
    elif process.returncode:
        trial.faults.append(f"step {step}: failed instead of being killed: {err[-1_000:]}")
    try:
        found, mended = told(place, "mend", trial.case)
        wrong = fault(found, before, after, done=False) or fault(mended, before, after, done=True)
        trial.states["after" if state(found) == state(after) != state(before) else "before"] += 1
    except AssertionError as error:
        wrong = str(error)
    if wrong:
        trial.faults.append(f"step {step}: {wrong}")
    else:
        place.remove()


def trials(origin: Place, cases: Sequence[str], *, every: int = 1, most: int | None = None) -> Iterator[Trial]:
    """Kill these kinds of work at every so many steps (`most`: at so many, spread over all)."""
    before = made(origin)
    for case in cases:
        through = origin.copied(f"{origin.folder.name}-through")
        writes: int = told(through, "work", case, 0)
        after: Seen = told(through, "look")
        through.remove()
        trial = Trial(origin.kind, case, writes)
        steps = range(1, writes + 1, every)
        if most is not None:
            steps = range(max(1, writes // (most + 1)), writes, max(1, writes // (most + 1)))[:most]
        for step in steps:
            kill(origin, trial, step, before, after)
        yield trial


def prove(kind: str, *, every: int = 1) -> Section:
    """The proof over a folder or over S3: each write of each kind of work, or one in so many."""
    began = time.monotonic()
    found: list[Trial] = []
    with tempfile.TemporaryDirectory() as folder, empty_place(kind, Path(folder)) as origin:
        for trial in trials(origin, list(CASES), every=every):
            print(f"{kind}, {trial.case}: {trial.kills} kills, {len(trial.faults)} faults", flush=True)
            for each in trial.faults:
                print(f"  {each}", flush=True)
            found.append(trial)
    kills, faults = sum(trial.kills for trial in found), sum(len(trial.faults) for trial in found)
    which = "another write, until there was none left" if every == 1 else f"a write, one in {every} of them all"
    text = [
        *wrapped(
            f"{kills} processes were killed with SIGKILL, each just before {which}. Writes are {_WRITES[kind]}. After each "
            "kill a fresh process opened the lake, compared the files of every table with its log and the sums of every "
            "version with what they were, searched, saw the rows, datasets and serving generation of before the work or of "
            "after it and nothing else, did the work again, and saw what it makes.",
            f"**{kills} kills, {faults} faults**, {time.monotonic() - began:.0f} s in all. Of work that readers do not "
            "see, such as a compaction, every state counts as the one before.",
        ),
        *table(
            ("work", "writes", "kills", "seen: before", "seen: after", "faults"),
            [
                (each.case, each.writes, each.kills, each.states["before"], each.states["after"], len(each.faults))
                for each in found
            ],
        ),
    ]
    return Section(f"Kills: {kind}", text, faults == 0 and kills > 0)
