"""A lake with secrets around it: what a hostile statement could reach is planted, and watched.

root/
  outer-<canary>/        a path that no answer may show
    lake/                the lake, with stray files that are no datasets and a dropped dataset, `vault`
    lake_evil/           a sibling whose name starts like the lake's
    outside/             secret files, and where attacks try to write
    cwd/                 the working directory while the corpora run
  inbox/                 the only folder ingest may read from
  inbox_evil/
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mcp_lakehouse.errors import LimitExceeded
from tests.safety.sources import SOURCES, write_sources

if TYPE_CHECKING:
    from mcp_lakehouse import Lakehouse

PATH_CANARY = "outer-pc8d1f4e"
ENVIRONMENT_VARIABLE = "LAKEHOUSE_SAFETY_SECRET"
# One for each place, so that a leak says where it came from. Hexadecimal, so that no statement holds one by chance.
CANARIES: Mapping[str, str] = {
    name: f"canary-{name}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    for name in ("outside", "stray", "sibling", "dropped", "description", "cwd", "environment")
}
TIMEOUT_SECONDS = 0.8
_TRIES = 8
T = TypeVar("T")
_SETTINGS = {
    "sql_timeout": str(TIMEOUT_SECONDS),
    "sql_memory": "256MB",
    "sql_threads": "1",
    "sql_workers": "3",
}
# The lake's own books and disposable state change with every call.
_WRITTEN_BY_THE_LAKE = ("_cache", "system", "_errors")


@dataclass(frozen=True, slots=True)
class Planted:
    """The opened lake, what the corpora mean by `${place}`, and the trap that listens on the network."""

    root: Path
    lake_folder: Path
    lake: Lakehouse
    fixed_places: Mapping[str, str]
    trap: socket.socket

    def places(self) -> Mapping[str, str]:
        """What each `${place}` stands for, with a result that is new: old ones are not kept for long."""
        result = patiently(lambda: self.lake.sql("SELECT * FROM trips", max_rows=5)).result_uri
        assert result is not None
        identifier = result.rpartition("/")[2]
        return {
            **self.fixed_places,
            "result": result,
            "result_id": identifier,
            "result_id_upper": identifier.upper(),
        }

    def snapshot(self, *, content: bool) -> dict[str, tuple[object, ...]]:
        """Every file below the root that no call may change: size, time, mode, and (`content`) SHA-256."""
        found: dict[str, tuple[object, ...]] = {}
        own = {str(self.lake_folder / name) for name in _WRITTEN_BY_THE_LAKE}
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if os.path.join(folder, name) not in own]
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                status = os.lstat(path)
                regular = name in files and not os.path.islink(path) and os.path.isfile(path)
                # A folder's time changes with its entries, which are listed themselves.
                facts: tuple[object, ...] = (status.st_mode,)
                if regular:
                    facts += (status.st_size, status.st_mtime_ns)
                    if content:
                        facts += (hashlib.sha256(Path(path).read_bytes()).hexdigest(),)
                found[path] = facts
        return found

    def trap_was_touched(self) -> bool:
        """Whether anything connected to the loopback port that network attacks name."""
        try:
            self.trap.accept()
        except BlockingIOError:
            return False
        return True


def patiently(call: Callable[[], T]) -> T:
    """A harmless call's answer, after a few tries if need be.

    The time limit here is tight and counts the start of a worker, so a busy machine may miss it.
    """
    for _ in range(_TRIES - 1):
        with contextlib.suppress(LimitExceeded):
            return call()
    return call()


@contextlib.contextmanager
def planted(root: Path) -> Iterator[Planted]:
    """Build everything below `root` (an empty folder), open the lake, load the fixture, drop `vault`."""
    from mcp_lakehouse import Lakehouse
    from mcp_lakehouse.settings import read_settings

    outer, inbox = root / PATH_CANARY, root / "inbox"
    lake_folder, outside, sibling = outer / "lake", outer / "outside", outer / "lake_evil"
    for folder in (outside, sibling, outer / "cwd", inbox / "loop", root / "inbox_evil"):
        folder.mkdir(parents=True)
    trap = socket.create_server(("127.0.0.1", 0))
    trap.setblocking(False)
    plant_secrets(outside, sibling, outer / "cwd", root / "inbox_evil")
    _fill_inbox(inbox, outside)
    settings = read_settings({"lake": str(lake_folder), "allow": str(inbox), **_SETTINGS}, {})
    environment = {ENVIRONMENT_VARIABLE: CANARIES["environment"]}
    with (
        trap,
        contextlib.chdir(outer / "cwd"),
        _environment(environment),
        Lakehouse.open(lake_folder, settings=settings) as lake,
    ):
        versions = _load(lake, inbox)
        hidden = _drop_vault(lake, inbox, lake_folder)
        _plant_strays(lake_folder)
        places = {
            "lake": str(lake_folder),
            "outer": str(outer),
            "sibling": str(sibling),
            "inbox": str(inbox),
            "new": str(outside),
            "secret_dir": str(outside),
            **{f"secret_{kind}": str(outside / f"secret.{kind}") for kind in ("json", "parquet")},
            "secret_db": str(outside / "secret.duckdb"),
            "secret": str(outside / "secret.csv"),
            "stray": str(lake_folder / "stray.csv"),
            "stray_parquet": str(lake_folder / "tables" / "stray.parquet"),
            "hidden": str(hidden),
            "trips_file": str(_data_file(lake_folder, "trips")),
            "link": str(inbox / "link.csv"),
            "link_dir": str(inbox / "linked"),
            "fifo": str(outside / "pipe"),
            "env": ENVIRONMENT_VARIABLE,
            "ppid": str(os.getpid()),
            "port": str(trap.getsockname()[1]),
            "trips_v1": str(versions[0]),
            "trips_v2": str(versions[1]),
        }
        yield Planted(root, lake_folder, lake, places, trap)


def plant_secrets(outside: Path, sibling: Path, cwd: Path, evil_inbox: Path) -> None:
    """Write the secret files; the folders exist."""
    import duckdb

    for path, canary in (
        (outside / "secret.csv", "outside"),
        (sibling / "data.csv", "sibling"),
        (cwd / "note.csv", "cwd"),
        (evil_inbox / "data.csv", "sibling"),
    ):
        path.write_text(f"canary\n{CANARIES[canary]}\n", encoding="utf-8")
    (outside / "secret.json").write_text(f'{{"canary": "{CANARIES["outside"]}"}}\n', encoding="utf-8")
    os.mkfifo(outside / "pipe")
    with duckdb.connect(str(outside / "secret.duckdb")) as database:
        database.execute("CREATE TABLE t AS SELECT $1 AS canary", [CANARIES["outside"]])
    for path, canary in ((outside / "secret.parquet", "outside"), (sibling / "data.parquet", "sibling")):
        _write_canary(path, canary)


def _write_canary(path: Path, canary: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"canary": [CANARIES[canary]]}), path)


def _fill_inbox(inbox: Path, outside: Path) -> None:
    write_sources(inbox)
    _write_canary(inbox / "vault.parquet", "dropped")
    (inbox / "ok.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (inbox / "clash.csv").write_text("trip_id,fare\nnot a number,not a price\n", encoding="utf-8")
    (inbox / "fake.parquet").write_text("PAR1 but not really", encoding="utf-8")
    (inbox / "bomb.xlsx").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    (inbox / "link.csv").symlink_to(outside / "secret.csv")
    (inbox / "linked").symlink_to(outside)
    (inbox / "loop" / "again").symlink_to(inbox / "loop")
    os.mkfifo(inbox / "pipe.csv")


def _load(lake: Lakehouse, inbox: Path) -> list[int]:
    """Load every dataset; the versions of `trips`, one for each of its loads."""
    versions: dict[str, list[int]] = {}
    for dataset, files in SOURCES.items():
        for file in files:
            report = lake.ingest(str(inbox / file), dataset=dataset)
            versions.setdefault(dataset, []).append(report.version)
    return versions["trips"]


def _drop_vault(lake: Lakehouse, inbox: Path, lake_folder: Path) -> Path:
    """A dataset that was there and was read, and is dropped: its file stays, and no statement may see it."""
    lake.ingest(str(inbox / "vault.parquet"), dataset="vault", description=CANARIES["description"])
    patiently(lambda: lake.sql("SELECT * FROM vault"))
    (inbox / "vault.parquet").unlink()
    lake.drop_dataset("vault", confirm="vault")
    return _data_file(lake_folder, "vault")


def _plant_strays(lake_folder: Path) -> None:
    (lake_folder / "stray.csv").write_text(f"canary\n{CANARIES['stray']}\n", encoding="utf-8")
    _write_canary(lake_folder / "tables" / "stray.parquet", "stray")
    shutil.copy(lake_folder / "stray.csv", lake_folder / "tables" / "stray.csv")


def _data_file(lake_folder: Path, dataset: str) -> Path:
    return min(path for path in lake_folder.rglob("*.parquet") if dataset in path.parts)


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
