"""Errors and index builds are kept where the contract says, bounded, and told by verbs of their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lake.places import Place, inline, rows
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.catalog.journals import Journals
from mcp_lakehouse.errors import InvalidInput, NotFound, StatementFailed
from mcp_lakehouse.limits import JournalLimits
from mcp_lakehouse.table import Table

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def records(count: int, *, after: int = 0) -> list[dict[str, object]]:
    """Errors a minute apart, numbered."""
    return [
        {"time": BEGAN + timedelta(minutes=number), "code": "x", "operation": "sql", "message": str(number)}
        for number in range(after, after + count)
    ]


def journals(lake: Lakehouse, kept: int) -> Journals:
    """A writer that keeps so many rows."""
    limits = JournalLimits(error_rows=kept, span_rows=kept)
    return Journals(lake.system, limits, scratch=lake._scratch)


def test_an_error_is_a_record_below_its_prefix(place: Place) -> None:
    with place.open() as lake:
        with pytest.raises(NotFound):
            lake.describe_dataset("no_such_thing")
        assert lake.journal.flush()
        assert any(info.key.endswith(".parquet") for info in lake.bucket.list("_errors"))
        (entry,) = lake.list_errors(dataset="no_such_thing").errors
        assert (entry.code, entry.operation, entry.dataset) == ("not_found", "describe_dataset", "no_such_thing")
        assert "no_such_thing" in entry.message
        assert entry.hint
        assert entry.who
        assert datetime.fromisoformat(entry.time).tzinfo is not None


def test_a_journal_is_read_before_and_after_its_first_record(prepared: Place) -> None:
    with prepared.open() as lake:
        for count in range(3):
            assert rows(lake, "SELECT count(*) FROM system.errors") == [[count]]
            lake._journals.append("errors", records(1))


def test_errors_are_listed_newest_first_and_counted(prepared: Place) -> None:
    with prepared.open() as lake:
        lake._journals.append("errors", records(30))
        found = lake.list_errors()
        assert [each.message for each in found.errors] == [str(number) for number in range(29, 9, -1)]
        assert (found.total, found.truncated) == (30, True)
        since = lake.list_errors(since="2026-01-02T00:27:00")
        assert [each.message for each in since.errors] == ["29", "28", "27"]
        assert (since.total, since.truncated) == (3, False)
        assert lake.list_errors(since="2026-01-02T01:27:00+01:00") == since
        assert lake.list_errors(dataset="t").errors == []
        for wrong in ({"limit": 0}, {"limit": 1_001}, {"since": "yesterday"}):
            with pytest.raises(InvalidInput):
                lake.list_errors(**wrong)  # type: ignore[arg-type]  # of either kind


def test_a_lake_of_before_keeps_its_errors(prepared: Place) -> None:
    with prepared.open() as lake:
        former = Table(lake.bucket, "system/errors")
        lake.system._journals["errors"] = former
        lake._journals.append("errors", records(3))
    with prepared.open(read_only=True) as lake:
        assert lake.list_errors().total == 3
    with prepared.open() as lake:
        with pytest.raises(StatementFailed):
            lake.sql("SELECT 1 / 'a'")
        assert rows(lake, "SELECT count(*), count(*) FILTER (code = 'x') FROM system.errors") == [[4, 3]]
        lake._journals.append("errors", records(1, after=3))
    with prepared.open() as lake:
        assert lake.list_errors().total == 5
        assert lake.system.journal("errors").snapshot().version == 1  # type: ignore[union-attr]  # it is there
        assert Table(lake.bucket, "system/errors").snapshot().version == 0


def test_the_oldest_errors_and_spans_go_where_there_are_too_many(prepared: Place) -> None:
    with prepared.open() as lake:
        bounded = journals(lake, 20)
        for after in range(0, 100, 5):
            bounded.append("errors", records(5, after=after))
            assert lake.list_errors(1).total <= 22
        kept = [each.message for each in lake.list_errors(100).errors]
        assert kept == [str(number) for number in range(99, 99 - len(kept), -1)]
        assert len(kept) >= 20
        for number in range(50):
            bounded.append("spans", [{"name": str(number), "ended_at": BEGAN + timedelta(minutes=number)}])
        ((count, oldest),) = rows(
            lake, "SELECT count(*), min(name::INT) FROM system.spans WHERE ended_at < '2026-02-01'"
        )
        assert 20 <= count <= 22
        assert oldest == 50 - count
        # Rejected rows are somebody's data: they stay until somebody forgets them.
        bounded.append("rejects", [{"load": "l", "text": str(number)} for number in range(50)])
        assert rows(lake, "SELECT count(*) FROM system.rejects") == [[50]]


def test_two_writers_of_one_journal_lose_nothing(prepared: Place) -> None:
    with prepared.open() as one, prepared.open() as other:
        for number in range(5):
            for lake in (one, other):
                lake._journals.append("errors", records(1, after=number))
        assert one.list_errors().total == other.list_errors().total == 10


def test_every_build_is_a_trial(prepared: Place) -> None:
    with prepared.open() as lake:
        assert lake.index_trials().trials == []
        lake.ingest(inline("notes", "id,note\n1,otters swim\n2,owls fly\n"), text=["note"])
        lake.build_index("notes", params={"min_recall": 1.01})
        found = lake.index_trials("notes")
        assert [(each.trial, each.published) for each in found.trials] == [(2, False), (1, True)]
        assert (found.total, found.truncated) == (2, False)
        refused = found.trials[0]
        assert "the gate is 1.01" in str(refused.note)
        assert (refused.parameters, refused.passages) == ("exact", 2)
        with pytest.raises(NotFound, match="there is no dataset 'note'") as caught:
            lake.index_trials("note")
        assert "did you mean notes?" in str(caught.value)
