"""What the worker processes below a server are doing: found, watched at work, and measured at rest."""

from __future__ import annotations

import time

import psutil

from mcp_lakehouse.worker import forking

LONG = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range * b.range % 7 = 3"
# A page that takes much longer to take apart than any test waits: each heading begins a row of its own.
SLOW_PAGE = "<html><body>" + "<h1>T</h1><p>Some text</p><table><tr><td>1</td></tr></table>" * 400_000 + "</body></html>"
_LOOK_SECONDS = 0.25
# In one look: what a worker at work uses at least, on a busy machine too, and one at rest at most.
_AT_WORK_SECONDS, _AT_REST_SECONDS = 0.05, 0.015


def workers(server: int) -> list[psutil.Process]:
    """The worker processes of a server process."""
    found = []
    for child in psutil.Process(server).children(recursive=True):
        try:
            if "mcp_lakehouse.worker" in child.cmdline() and child.name() != forking.NAME:
                found.append(child)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def worker_at_work(server: int, *, seconds: float = 30) -> psutil.Process:
    """The one worker that is using the processor, once those that get ready beside it are ready."""
    deadline = time.monotonic() + seconds
    looks: list[psutil.Process] = []
    before: dict[psutil.Process, float] = {}
    while time.monotonic() < deadline:
        used = {worker: _used(worker) for worker in workers(server)}
        since = {worker: now - before.get(worker, 0.0) for worker, now in used.items()}
        busy = [worker for worker, cpu in since.items() if cpu > _AT_WORK_SECONDS]
        resting = all(cpu < _AT_REST_SECONDS for worker, cpu in since.items() if worker not in busy)
        # Twice the same one: what gets ready is done with that.
        if before and len(busy) == 1 and resting and looks[-1:] == busy:
            return busy[0]
        looks = busy if len(busy) == 1 and resting else []
        before = used
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
