"""Results that are passed on while they are made: every form, whole or with an error, and never held up for ever."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_lakehouse.cancel import CancelToken
from mcp_lakehouse.errors import Cancelled, InvalidInput, LakehouseError, LimitExceeded, StatementFailed
from mcp_lakehouse.limits import KIB, Limits, SqlLimits, StreamLimits
from mcp_lakehouse.sql.results import Results
from mcp_lakehouse.sql.runner import Runner
from mcp_lakehouse.sql.streaming import Form, Streams, Wanted
from sql.conftest import FakeCatalog, make_files
from tests.mcp.processes import workers

ENDLESS = "SELECT range AS id, 'a text of some length' AS note FROM range(1_000_000_000_000)"
VALUES = (
    "SELECT 'a, \"b\"\nc' AS text, '' AS none, NULL AS nothing, 9007199254740993 AS big, 5::UBIGINT AS unsigned,"
    " 170141183460469231731687303715884105727::HUGEINT AS huge, -3::HUGEINT AS small, 1.10::DECIMAL(5,2) AS money,"
    " 'nan'::DOUBLE AS nan, '-inf'::FLOAT AS inf, 0.1::FLOAT AS f, 1e20::DOUBLE AS d, true AS yes,"
    " DATE '2026-01-02' AS day, TIMESTAMPTZ '2026-01-02 03:04:05.5+01' AS moment, TIMESTAMP 'infinity' AS never,"
    " '\\xFFab'::BLOB AS bytes, INTERVAL 14 MONTH AS span, 'b'::ENUM('a', 'b') AS word, chr(1) AS control, 'Ω' AS \"it's\""
)
NESTED = "SELECT [1, NULL] AS list, {'a': [DATE '2026-01-01'], 'b': 'x'} AS pair, MAP {'k': 1.5} AS map, 9 AS list"


class Recorded:
    """The errors that were put on record."""

    def __init__(self) -> None:
        self.errors: list[LakehouseError] = []

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except LakehouseError as error:
            self.errors.append(error)
            raise


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def streams(runner: Runner, recorded: Recorded) -> Streams:
    return runner.streams(recorded, False)


@pytest.fixture
def limited(tmp_path: Path, recorded: Recorded) -> Iterator[Callable[..., Streams]]:
    """Makes streams over a runner of their own, with other limits."""
    made: list[Runner] = []

    def make(sql: dict[str, float] | None = None, **changes: float) -> Streams:
        limits = Limits(sql=replace(SqlLimits(), **(sql or {})), stream=replace(StreamLimits(), **changes))
        (tmp_path / "data").mkdir(exist_ok=True)
        make_files(tmp_path / "data")
        results = Results(tmp_path / "results", limits.result)
        catalog = FakeCatalog(tmp_path / "data", results)
        scratch = tmp_path / "scratch"
        made.append(Runner(catalog.resolve, results, limits, scratch=scratch, data=[tmp_path / "data"]))
        return made[-1].streams(recorded, False)

    yield make
    for runner in made:
        runner.close()


def text_of(streams: Streams, statement: str, form: Form) -> str:
    with streams.open(Wanted(statement, form=form)) as stream:
        return b"".join(stream).decode()


@pytest.mark.parametrize("statement", [VALUES, NESTED, "FROM trips ORDER BY id", "FROM empty", "SELECT 1 AS a, 2 AS A"])
def test_lines_of_json_hold_what_sql_gives(runner: Runner, streams: Streams, statement: str) -> None:
    lines = text_of(streams, statement, "ndjson").splitlines()
    rows = [list(json.loads(line).values()) for line in lines]
    assert rows == runner.run(statement, max_rows=100)[0].rows


def test_csv_holds_the_engines_text_and_tells_nothing_from_an_empty_text(streams: Streams) -> None:
    text = text_of(streams, VALUES, "csv")
    head, row = csv.reader(io.StringIO(text))
    cells = dict(zip(head, row, strict=True))
    assert cells["text"] == 'a, "b"\nc'
    assert cells["huge"] == "170141183460469231731687303715884105727"
    assert (cells["money"], cells["nan"], cells["moment"]) == ("1.10", "nan", "2026-01-02 02:04:05.5+00")
    assert (cells["bytes"], cells["span"], cells["never"]) == ("\\xFFab", "1 year 2 months", "infinity")
    assert ',"",,' in text
    assert text_of(streams, "SELECT 1 AS \"a,b\", 2 AS a, 3 AS A", "csv") == '"a,b",a,A_1\n1,2,3\n'  # fmt: skip
    assert text_of(streams, "FROM empty", "csv") == "a,b\n"
    assert text_of(streams, "SELECT NULL AS only", "csv") == 'only\n""\n'


def test_order_is_kept_over_many_batches(streams: Streams) -> None:
    statement = "SELECT range AS id FROM range(300_000) ORDER BY id DESC"
    ids = [int(line) for line in text_of(streams, statement, "csv").splitlines()[1:]]
    assert ids == list(range(299_999, -1, -1))


def test_long_batches_are_cut_and_lose_nothing(limited: Callable[..., Streams]) -> None:
    streams = limited(piece_bytes=64 * KIB)
    with streams.open(Wanted("SELECT range AS id, repeat('x', 500) AS note FROM range(3_000)")) as stream:
        batches = list(stream.batches())
    assert max(batch.nbytes for batch in batches) <= 64 * KIB
    assert [value for batch in batches for value in batch.column(0).to_pylist()] == list(range(3_000))
    for form in ("csv", "ndjson"):
        assert text_of(streams, "SELECT repeat('x', 500) AS note FROM range(3_000)", form).count("x") == 1_500_000


def test_a_row_that_is_too_long_is_told_by_its_size(limited: Callable[..., Streams]) -> None:
    streams = limited(piece_bytes=64 * KIB, row_bytes=256 * KIB)
    with streams.open(Wanted("SELECT repeat('x', 200_000) AS note")) as stream:
        assert sum(batch.num_rows for batch in stream.batches()) == 1
    with pytest.raises(LimitExceeded, match="one row of the result takes 1 MiB"):
        streams.open(Wanted("SELECT repeat('x', 1_000_000) AS note"))


def test_its_columns_and_the_number_of_its_rows_are_told(streams: Streams) -> None:
    statement = "SELECT range AS id, 'x' AS city FROM range(4) WHERE id > "
    with streams.open(Wanted(f"{statement} $least", {"least": 1})) as stream:
        assert [(column.name, column.type) for column in stream.columns] == [("id", "BIGINT"), ("city", "VARCHAR")]
        assert stream.rows is None
        schema, batches = (whole := stream.batches()).schema, list(whole)
        assert stream.rows == 2
    assert schema == streams.schema(Wanted(f"{statement} ?", [1]))
    assert batches[0].schema == schema


def test_a_stream_that_was_read_leaves_its_worker_to_the_next(limited: Callable[..., Streams]) -> None:
    streams = limited({"workers": 1})
    seen = set()
    for _ in range(2):
        with streams.open(Wanted("SELECT range AS id FROM range(100_000)")) as stream:
            assert sum(batch.num_rows for batch in stream.batches()) == 100_000
        assert len(text_of(streams, "SELECT range AS id FROM range(1_000)", "csv").splitlines()) == 1_001
        seen |= {worker.pid for worker in streams._pool._idle}
    assert len(seen) == 1


def test_no_form_but_these(streams: Streams) -> None:
    with pytest.raises(InvalidInput, match="no form 'xml'"):
        streams.open(Wanted("SELECT 1", form="xml"))  # type: ignore[arg-type]  # that is the point


def test_an_error_before_the_first_rows_comes_from_opening(streams: Streams, recorded: Recorded) -> None:
    with pytest.raises(StatementFailed):
        streams.open(Wanted("SELECT error('at once') FROM range(2)"))
    assert len(recorded.errors) == 1


def test_an_error_after_many_rows_comes_from_reading_and_leaves_the_worker(
    streams: Streams, recorded: Recorded, runner: Runner
) -> None:
    late = "SELECT CASE WHEN range > 2_000_000 THEN error('late') ELSE range END AS id FROM range(3_000_000)"
    with streams.open(Wanted(late)) as stream:
        assert next(stream)
        with pytest.raises(StatementFailed, match="late"):
            list(stream)
    assert [type(error) for error in recorded.errors] == [StatementFailed]
    assert runner.run("SELECT 1", max_rows=1)[0].rows == [[1]]


def test_a_stream_that_is_left_stops_its_statement(limited: Callable[..., Streams]) -> None:
    streams = limited({"workers": 1})
    with streams.open(Wanted(ENDLESS)) as stream:
        assert next(stream)
    assert text_of(streams, "SELECT 1 AS one", "csv") == "one\n1\n"


def test_cancelling_from_elsewhere_stops_it(streams: Streams, recorded: Recorded) -> None:
    token = CancelToken()
    with streams.open(Wanted(ENDLESS, cancel=token)) as stream:
        next(stream)
        token.cancel()
        with pytest.raises(Cancelled):
            list(stream)
    assert [type(error) for error in recorded.errors] == [Cancelled]


def test_whoever_waits_is_asked_whether_it_is_still_wanted(streams: Streams) -> None:
    token = CancelToken()
    slow = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range * b.range % 7 = 3"
    with pytest.raises(Cancelled):
        streams.open(Wanted(slow, cancel=token, waiting=token.cancel))


def test_rows_that_nobody_takes_are_given_up(limited: Callable[..., Streams]) -> None:
    streams = limited({"workers": 1}, stall_seconds=0.3)
    stuck = streams.open(Wanted(ENDLESS))
    next(stuck)
    # There is one worker only, so this waits until the first has lost it.
    assert text_of(streams, "SELECT 1 AS one", "csv") == "one\n1\n"
    with pytest.raises(LimitExceeded, match=r"nobody took the next rows for 0\.3 s"):
        next(stuck)


def test_rows_that_are_taken_slowly_are_not_given_up(limited: Callable[..., Streams]) -> None:
    with limited(stall_seconds=0.5).open(Wanted(ENDLESS)) as stream:
        for _ in range(4):
            # A slow reader is what is tested here.
            time.sleep(0.2)
            assert next(stream)


def test_a_stream_has_a_time_of_its_own(limited: Callable[..., Streams]) -> None:
    with (
        limited(seconds=0.2).open(Wanted(ENDLESS)) as stream,
        pytest.raises(LimitExceeded, match="was not taken within"),
    ):
        list(stream)


def test_a_statement_without_rows_in_time_is_stopped(limited: Callable[..., Streams]) -> None:
    streams = limited({"timeout_seconds": 3.0, "workers": 1})
    with streams.open(Wanted(ENDLESS)) as stream:
        next(stream)
        with pytest.raises(LimitExceeded, match="all 1 places"):
            streams.open(Wanted("SELECT 1"))
    slow = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range * b.range % 7 = 3"
    with pytest.raises(LimitExceeded, match="was stopped after 3 s"):
        streams.open(Wanted(slow))


def test_a_worker_that_dies_in_the_middle_is_an_error(limited: Callable[..., Streams]) -> None:
    before = set(workers(os.getpid()))
    streams = limited({"workers": 1})
    with streams.open(Wanted(ENDLESS)) as stream:
        next(stream)
        for worker in set(workers(os.getpid())) - before:
            worker.kill()
        with pytest.raises(LakehouseError, match="worker process ended"):
            list(stream)
