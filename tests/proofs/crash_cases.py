"""What is killed: one line for each kind of work. `t` is there, searchable, with three generations; `hot` has an overlay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mcp_lakehouse import Lakehouse

ROWS = "id,amount,note\n" + "".join(f"{n},{n * 10},{note}\n" for n, note in enumerate(("an otter", "an owl", "a bee")))
MORE = "id,amount,note\n3,30,a pangolin\n4,40,a heron\n"
OTHER = "id,amount,note\n0,7,an otter\n9,8,a lynx\n"
CHANGED = "id,amount,note\n1,11,an owl of the north\n5,50,a pangolin\n"
SOURCES = {"rows.csv": ROWS, "more.csv": MORE, "other.csv": OTHER, "changed.csv": CHANGED}


@dataclass(frozen=True)
class Case:
    """Work on an open lake; `settled` says of work that is not to be done twice whether it holds already."""

    work: Callable[[Lakehouse, Path], object]
    settled: Callable[[Lakehouse], bool] = lambda _: False


def serving(lake: Lakehouse) -> int:
    """The generation that serves `t`."""
    index = lake.describe_dataset("t", 0).index
    return index.generation if index is not None else 0


def dropped(lake: Lakehouse) -> bool:
    """Whether `t` is not there."""
    return all(each.name != "t" for each in lake.list_datasets().datasets)


def overlaying(lake: Lakehouse) -> Lakehouse:
    """The lake, where an upsert goes into an overlay although its dataset is small."""
    lake._limits = replace(lake._limits, ingest=replace(lake._limits.ingest, overlay_from_rows=0, overlay_share=0.6))
    return lake


CASES = {
    "first load": Case(lambda lake, files: lake.ingest(files / "more.csv", dataset="fresh", text="note")),
    "append": Case(lambda lake, files: lake.ingest(files / "more.csv", dataset="t")),
    "replace": Case(lambda lake, files: lake.ingest(files / "other.csv", dataset="t", mode="replace")),
    "upsert": Case(lambda lake, files: lake.ingest(files / "changed.csv", dataset="t", mode="upsert", key="id")),
    "upsert into an overlay": Case(
        lambda lake, files: overlaying(lake).ingest(files / "changed.csv", dataset="hot", mode="upsert")
    ),
    "fold an overlay": Case(lambda lake, _: lake.compact("hot")),
    "vacuum": Case(lambda lake, _: lake.vacuum("t", at_once=True)),
    "forget": Case(lambda lake, _: lake.forget("t", "id = 1", "t")),
    "compact": Case(lambda lake, _: lake.compact("t")),
    "build and publish": Case(lambda lake, _: lake.build_index("t")),
    "roll back": Case(lambda lake, _: lake.rollback_index("t"), settled=lambda lake: serving(lake) == 2),
    "drop": Case(lambda lake, _: lake.drop_dataset("t", "t"), settled=dropped),
    "restore": Case(lambda lake, _: lake.restore_dataset("t", 0)),
}


def make(lake: Lakehouse, files: Path) -> None:
    """The lake that all cases begin with: `t` in four files and three generations."""
    lake.ingest(files / "rows.csv", dataset="t", text="note")
    for number in range(6, 9):
        lake.ingest({"name": "t.csv", "text": f"id,amount,note\n{number},{number},a stork\n"}, dataset="t")
    for _ in range(2):
        lake.build_index("t")
    lake.ingest({"name": "hot.csv", "text": ROWS + MORE.partition("\n")[2]}, key="id", text="note")
    overlaying(lake).ingest({"name": "hot.csv", "text": "id,amount,note\n2,21,a wasp\n"}, mode="upsert")
