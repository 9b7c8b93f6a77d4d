"""Two servers on one lake run the tests of the tools and of REST: each call goes to the one that was not asked last."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from tests.proofs.places import ROOT
from tests.proofs.report import Section, table, wrapped

SUITES = ("tests/mcp", "tests/gateway")
_OUTCOMES = ("passed", "failed", "errors", "skipped")


def prove(kind: str) -> Section:
    """The suites over a folder or over S3. What fails is printed."""
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "--tb", "short", *SUITES],
        cwd=ROOT,
        env={**os.environ, "TESTS_LAKE": kind},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    last = told.stdout.strip().splitlines()[-1]
    counts = dict.fromkeys(_OUTCOMES, 0)
    for number, name in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last):
        counts["errors" if name == "error" else name] = int(number)
    if told.returncode:
        print(told.stdout, flush=True)
    text = [
        *wrapped(
            "Two servers of one lake, opened apart in one process: they share nothing but the lake and its cache on this "
            f"machine. The tests of the tools and of REST ({' and '.join(SUITES)}) ask them in turn, so that what one has "
            "just done is what the other is asked for. Tests of what belongs to one connection (subscriptions, cancelled "
            "calls, streams, Flight), of errors, which are written within a second, and of settings ask one server."
        ),
        *table((*_OUTCOMES, "seconds"), [(*counts.values(), f"{time.monotonic() - began:.0f}")]),
    ]
    return Section(f"Two servers on one lake: {kind}", text, told.returncode == 0 and counts["passed"] > 0)
