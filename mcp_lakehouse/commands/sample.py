"""The demo's data: a staffing agency's workers, shifts, résumés and handbook. Invented, and the same every time."""

from __future__ import annotations

import csv
import json
import random
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

_SEED = 20260302
_SHIFTS_A_WORKER = 5
# One bad rate among fewer would make the whole column text, as it should.
_FEWEST_WORKERS = 200
_RAISES = 40
_RESUMES = 600
_HIRES = 3
_NAMES = ("Amara", "Ben", "Chiara", "Dmitri", "Esi", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lucía", "Mei")
_FAMILIES = ("Adeyemi", "Brandt", "Costa", "Dubois", "Eriksen", "Fischer", "García", "Hassan", "Ito", "Jansen", "Kim")
_CITIES = (("Chicago", "IL"), ("Joliet", "IL"), ("Gary", "IN"), ("Milwaukee", "WI"), ("Rockford", "IL"))
_ROLES = {"forklift operator": 24.0, "picker": 18.5, "loader": 19.0, "electrician": 34.0, "supervisor": 31.0}
_TASKS = ("receiving", "picking", "loading", "counting", "maintenance")
_FIRST_SHIFT = datetime(2026, 3, 2, 6, tzinfo=UTC)
WORKER_COLUMNS = ("worker_id", "name", "role", "city", "state", "hourly_rate", "hired_on", "osha10")
# What real exports are like: a line cut short, a rate that is none, a comma nobody quoted.
_BAD_LINES = (
    "W90001,Nina Okafor,picker",
    "W90002,Tom Reyes,loader,Joliet,IL,call payroll,2024-05-01,true",
    "W90003,Sara Lind,picker,Gary,IN,18.75,2025-01-15,true,transferred,see notes",
)

_HANDBOOK = """\
# Site handbook

## Before the first shift
Everyone who enters a warehouse floor holds an OSHA-10 card or works beside somebody who does.
Forklift operators bring their licence; the site lead keeps a copy.

## Hours
A shift is six to ten hours. Above forty hours in a week every hour counts one and a half times.
Nobody starts a shift within eight hours of the end of the last one.

## Pay
Rates are per hour and change on the first of a month. Raises are written to the workers' table the
day they are agreed, so that the shift plan always shows what a shift will cost.

## When something goes wrong
Stop, make the place safe, call the site lead. Then write down what happened, while it is fresh.
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """Where the files are, and how many rows each has that can be loaded."""

    folder: Path
    workers: int
    shifts: int
    bad_rows: int
    raises: int
    hires: int
    resumes: int
    # Who of the résumés' people is what the story's question asks for.
    wanted: frozenset[str]


def make_sample(folder: Path, rows: int) -> Sample:
    """Write the sample files; `rows` is about the number of shifts, the largest table."""
    chance = random.Random(_SEED)
    folder.mkdir(parents=True, exist_ok=True)
    workers = [_worker(number, chance) for number in range(max(_FEWEST_WORKERS, rows // _SHIFTS_A_WORKER))]
    _write_workers(folder / "workers.csv", workers, bad=True)
    shifts = max(rows, 1)
    with open(folder / "shifts.ndjson", "w", encoding="utf-8") as file:
        for number in range(shifts):
            file.write(json.dumps(_shift(number, chance.choice(workers), chance), ensure_ascii=False) + "\n")
    (folder / "handbook.md").write_text(_HANDBOOK, encoding="utf-8")
    raised = [worker | {"hourly_rate": round(float(worker["hourly_rate"]) + 1.5, 2)} for worker in workers[:_RAISES]]
    hired = [_worker(len(workers) + number, chance) for number in range(_HIRES)]
    _write_workers(folder / "workers_april.csv", [*raised, *hired], bad=False)
    wanted = _write_resumes(folder)
    return Sample(folder, len(workers), shifts, len(_BAD_LINES), _RAISES, _HIRES, _RESUMES, wanted)


def _write_resumes(folder: Path) -> frozenset[str]:
    """The résumés of the staffing story; returns the ids of those whom its question asks for."""
    import pyarrow.parquet as pq

    from mcp_lakehouse.story.making import make_story
    from mcp_lakehouse.story.questions import SEED, expected

    story = folder / "story"
    make_story(story, workers=_RESUMES, resumes=_RESUMES, seed=1)
    (story / "resumes.parquet").rename(folder / "resumes.parquet")
    shutil.rmtree(story)
    return expected(SEED, pq.read_table(folder / "resumes.parquet").to_pylist())


def _worker(number: int, chance: random.Random) -> dict[str, str | float]:
    city, state = chance.choice(_CITIES)
    role = chance.choice(list(_ROLES))
    return {
        "worker_id": f"W{number:05d}",
        "name": f"{chance.choice(_NAMES)} {chance.choice(_FAMILIES)}",
        "role": role,
        "city": city,
        "state": state,
        "hourly_rate": round(_ROLES[role] + chance.uniform(-2, 4), 2),
        "hired_on": str(date(2022, 1, 3) + timedelta(days=chance.randrange(1_400))),
        "osha10": "true" if chance.random() < 0.7 else "false",
    }


def _shift(number: int, worker: dict[str, str | float], chance: random.Random) -> dict[str, object]:
    begin = _FIRST_SHIFT + timedelta(days=chance.randrange(28), hours=chance.choice((0, 8, 16)))
    return {
        "shift_id": number,
        "worker_id": worker["worker_id"],
        "site": {"city": worker["city"], "dock": chance.randrange(1, 13)},
        "started_at": begin.isoformat().replace("+00:00", "Z"),
        "hours": chance.choice((6.0, 7.5, 8.0, 8.0, 10.0)),
        "tasks": sorted(chance.sample(_TASKS, chance.randrange(1, 4))),
    }


def _write_workers(path: Path, workers: list[dict[str, str | float]], *, bad: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, WORKER_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(workers)
        if bad:
            file.write("\n".join(_BAD_LINES) + "\n")
