"""Overlays under vacuum and forgetting: what they name stays, what they shadow goes."""

from __future__ import annotations

from lake.places import Place, inline, rows
from lake.test_forget import DAY, HEAD, NAME, NUMBER, OTHERS, ROW, WHERE, holding
from lake.test_overlay import overlaying
from lake.test_vacuum import files_of, keeping
from mcp_lakehouse import Lakehouse

MANY = HEAD + OTHERS + ROW + "".join(f"{100 + n},Nobody,{n},1900-01-01,a note\n" for n in range(20))
CHANGED = HEAD + "7,Somebody,1,1900-01-01,another note\n"


def laid_over(lake: Lakehouse, name: str) -> None:
    """A dataset whose overlay shadows the planted row."""
    lake.ingest(inline(name, MANY), key="id", text="note")
    lake.ingest(inline(name, CHANGED), mode="upsert")
    assert lake.catalog.get(name).snapshot.overlay is not None


def test_a_vacuum_leaves_the_overlay_and_takes_those_before_it(prepared: Place) -> None:
    with overlaying(keeping(prepared)) as lake:
        laid_over(lake, "hot")
        for number in range(3):
            lake.ingest(inline("hot", HEAD + f"{101 + number},Changed,1,1900-01-01,x\n"), mode="upsert")
        assert files_of(lake, "hot") == 5
        report = lake.vacuum("hot", at_once=True)
        assert report.datasets[0].retired == ["1-3"]
        assert files_of(lake, "hot") == 2
        assert rows(lake, "SELECT count(*), count(*) FILTER (name = 'Changed') FROM hot") == [[23, 3]]
        assert lake.search("another note", mode="keyword").results[0].dataset == "hot"


def test_rows_that_an_overlay_shadows_are_forgotten(prepared: Place) -> None:
    with overlaying(prepared.open()) as lake:
        laid_over(lake, "shadowed")
        assert holding(lake)
        report = lake.forget("shadowed", WHERE, "shadowed")
        assert report.verified
        assert holding(lake) == []
        assert rows(lake, "SELECT count(*), min(name) FILTER (id = 7) FROM shadowed") == [[23, "Somebody"]]


def test_rows_of_an_overlay_and_its_deletions_are_forgotten(prepared: Place) -> None:
    with overlaying(prepared.open()) as lake:
        lake.ingest(inline("keyed", MANY), key=["name", "id"], text="note")
        lake.ingest(inline("keyed", HEAD + f"7,{NAME},{NUMBER},{DAY},gone\n"), mode="delete")
        overlay = lake.catalog.get("keyed").snapshot.overlay
        assert overlay is not None
        assert overlay.content.deleted == 1
        assert lake.forget("keyed", WHERE, "keyed").verified
        assert holding(lake) == []
        assert rows(lake, "SELECT count(*) FROM keyed") == [[22]]


def test_versions_before_an_overlay_stay_where_they_held_nothing(prepared: Place) -> None:
    with overlaying(prepared.open()) as lake:
        lake.ingest(inline("partly", MANY.replace(ROW, "")), key="id")
        lake.ingest(inline("partly", HEAD + ROW), mode="upsert")
        report = lake.forget("partly", WHERE, "partly")
        assert report.retired == ["1"]
        assert rows(lake, "SELECT count(*) FROM partly AT (VERSION => 0)") == [[22]]
        assert holding(lake) == []
