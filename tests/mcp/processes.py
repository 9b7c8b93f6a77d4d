"""What the worker processes below a server are doing: found, watched at work, and measured at rest."""

from __future__ import annotations

import time

import psutil

LONG = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range * b.range % 7 = 3"
# More than preparing takes: a worker that used this much since we looked is working on the statement.
_AT_WORK_SECONDS = 0.3
_LOOK_SECONDS = 0.05


def workers(server: int) -> list[psutil.Process]:
    """The worker processes of a server process."""
    found = []
    for child in psutil.Process(server).children(recursive=True):
        try:
            if "mcp_lakehouse.worker" in child.cmdline():
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def worker_at_work(server: int, *, seconds: float = 30) -> psutil.Process:
    """A worker that is using the processor now."""
    before: dict[int, float] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for worker in workers(server):
            used = _used(worker)
            if used - before.setdefault(worker.pid, used) > _AT_WORK_SECONDS:
                return worker
        time.sleep(_LOOK_SECONDS)
    raise AssertionError("no worker came to work")


def ends(process: psutil.Process, *, seconds: float = 3) -> bool:
    """Whether a process ends within that time."""
    gone, _ = psutil.wait_procs([process], timeout=seconds)
    return bool(gone)


def cpu_seconds(server: int, *, seconds: float = 2) -> float:
    """CPU time that a server's workers use in the next seconds of the clock."""
    before = {worker.pid: _used(worker) for worker in workers(server)}
    # A time span is what is measured here.
    time.sleep(seconds)
    return sum(_used(worker) - before.get(worker.pid, 0.0) for worker in workers(server))


def _used(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
    return float(times.user + times.system)
