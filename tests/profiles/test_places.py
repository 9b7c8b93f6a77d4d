"""Where things lie is not told to a reader, whatever fails: buckets, their servers, models and the rescue bucket."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from pyarrow import flight

from gateway.flying import flown
from lake.places import Place, folder_place
from lake.switched_proxy import SwitchedProxy, switched_proxy
from llm.endpoints import SECRET, answer, running
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import LakehouseError, NotAllowed, StorageFailed, Unreachable
from mcp_lakehouse.gateway.access import by_token
from mcp_lakehouse.retention.notices import Notices
from mcp_lakehouse.store.local import LocalBucket
from profiles.conftest import CANARY, received
from s3_server import BUCKET

PROFILES = """
[profiles.reader]
datasets = ["people", "open_*"]
rights = ["read", "ingest", "replay"]
[profiles.reader.restrict.people]
where = "id < 3"
"""
PEOPLE = {"name": "people.csv", "text": "id,name\n1,Ada\n2,Ben\n3,Cleo\n"}
NOTES = {"name": "open_notes.md", "text": "# Notes\n\nThe gate opens at eight.\n"}
PLANS = {"name": "canary_plans.csv", "text": "id\n7\n"}


@pytest.fixture
def switch(s3_environment: Mapping[str, str]) -> Iterator[SwitchedProxy]:
    with switched_proxy(s3_environment["AWS_ENDPOINT_URL"]) as proxy:
        yield proxy


@pytest.fixture
def remote(tmp_path: Path, s3_environment: Mapping[str, str], switch: SwitchedProxy) -> Place:
    """A lake on object storage, its prefix a canary."""
    environment = {**s3_environment, "AWS_ENDPOINT_URL": switch.endpoint}
    return filled(Place("s3", f"s3://{BUCKET}/{CANARY}{uuid4().hex}", tmp_path, tmp_path / "cache", environment))


@pytest.fixture
def local(tmp_path: Path) -> Place:
    """A lake in a folder, with a rescue bucket; both are canaries."""
    place = folder_place(tmp_path)
    named = {"LAKEHOUSE_RESCUE": str(tmp_path / f"{CANARY}_rescue")}
    return filled(replace(place, address=str(tmp_path / CANARY / "lake"), environment=named))


def filled(place: Place) -> Place:
    """With three datasets, and the profile `reader`."""
    profiles = place.files / "profiles.toml"
    profiles.write_text(PROFILES)
    place = replace(place, environment={**place.environment, "LAKEHOUSE_PROFILES": str(profiles)})
    with place.open() as lake:
        lake.ingest(PEOPLE, key=["id"])
        lake.ingest(NOTES)
        lake.ingest(PLANS)
    return place


def reading(lake: Lakehouse) -> list[Callable[[], object]]:
    """Everything that a reader may ask of a lake."""
    return [
        lake.list_datasets,
        lambda: lake.describe_dataset("people"),
        lambda: lake.sql("FROM people"),
        lambda: lake.sql("FROM open_notes"),
        lambda: lake.search("gate"),
        lambda: lake.ask("When does the gate open?"),
        lambda: lake.ingest({"name": "open_more.csv", "text": "id\n1\n"}),
    ]


def hides_the_place(text: str, lake: Lakehouse) -> None:
    assert CANARY not in text
    assert str(lake.bucket.url) not in text
    for variable in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        assert os.environ.get(variable, "(not set)") not in text
    assert "127.0.0.1" not in text


def test_a_server_that_is_down_is_not_named(remote: Place, switch: SwitchedProxy, tmp_path: Path) -> None:
    with remote.open(profile="reader", cache=tmp_path / "another") as lake, flown(lake, by_token(("", lake))) as up:
        switch.off()
        told = [received(work) for work in reading(lake)]
        told += [received_flight(lambda: list(up.client.list_flights()))]
        told += [received_flight(lambda: up.client.get_flight_info(described("people")))]
        assert sum("storage_failed" in text for text in told) >= 5
        for text in told:
            hides_the_place(text, lake)


def test_a_lake_of_which_nothing_can_be_read_is_not_well(remote: Place, tmp_path: Path) -> None:
    with remote.open() as whole:
        logs = [info.key for info in whole.bucket.list("tables") if "/_delta_log/" in info.key]
        for key in logs:
            whole.bucket.write(key, b"not a log")
    with remote.open(profile="reader", cache=tmp_path / "another") as lake, flown(lake, by_token(("", lake))) as up:
        (health,) = up.client.do_action("health")
        told = json.loads(health.body.to_pybytes())
        assert (told["status"], told["lake"]["error"]) == ("failing", "storage_failed")
        with pytest.raises(StorageFailed):
            lake.search("gate")


def test_an_object_that_is_gone_is_damage_and_not_named(remote: Place, tmp_path: Path) -> None:
    with remote.open() as whole:
        parts = [info.key for info in whole.bucket.list("tables") if info.key.endswith(".parquet")]
        whole.bucket.delete(parts)
    with remote.open(profile="reader", cache=tmp_path / "another") as lake, flown(lake, by_token(("", lake))) as up:
        with pytest.raises(StorageFailed):
            lake.sql("FROM open_notes")
        told = [received(work) for work in reading(lake)]
        told += [received_flight(lambda: up.table("FROM people")), received_flight(lambda: up.table("FROM open_notes"))]
        for text in told:
            assert "part-" not in text
            hides_the_place(text, lake)
    with remote.open(cache=tmp_path / "third") as whole, pytest.raises(LakehouseError, match=r"part-.*does not exist"):
        # The administrator is told which.
        whole.sql("FROM open_notes")


def described(name: str) -> object:
    return flight.FlightDescriptor.for_path(name)


def received_flight(work: Callable[[], object]) -> str:
    try:
        return str(work())
    except flight.FlightError as error:
        return f"{error} {error.extra_info!r}"


def test_a_load_that_is_not_searchable_yet_does_not_say_where(local: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object, **__: object) -> str:
        raise StorageFailed(f"cannot write {local.address}/index/part.parquet", hint=f"look into {local.address}")

    with local.open(profile="reader") as lake:
        monkeypatch.setattr(lake._indexes, "loaded", refuses)
        (note,) = lake.ingest({"name": "open_more.csv", "text": "id\n1\n"}).notes
        assert "not searchable yet: index failed (storage_failed); hint: the administrator" in note
        assert CANARY not in note
    with local.open() as whole:
        (kept,) = whole.list_errors().errors
        assert (kept.operation, kept.who, local.address in kept.message) == ("index", "profile reader", True)


def test_what_a_reader_may_not_load_is_not_kept_for_later_either(local: Place) -> None:
    with local.open(profile="reader") as lake:
        # Where sources are written to there is a file now: every load fails before it is looked at.
        lake.uploads.write_text("")
        for dataset in ("canary_plans", "people"):
            with pytest.raises(NotAllowed):
                lake.ingest({"name": "x.csv", "text": "id\n1\n"}, dataset, mode="replace")
            with pytest.raises(LakehouseError) as caught:
                lake.ingest({"name": f"{dataset}.csv", "text": "id\n1\n"}, mode="replace")
            assert "kept as" not in str(caught.value)
        with pytest.raises(StorageFailed, match="it is kept as") as kept:
            lake.ingest({"name": "open_late.csv", "text": "id\n5\n"})
        assert "do not load it again" in str(kept.value)
        assert CANARY not in str(kept.value)
    with local.open() as whole:
        (done,) = whole.replay_rescued().entries
        assert (done.dataset, done.waits) == ("open_late", None)
        assert whole.sql("FROM canary_plans").rows == [[7]]
        assert whole.sql("SELECT count(*) FROM people").rows == [[3]]


def test_a_load_that_is_kept_stays_in_the_buckets_that_are_shown(tmp_path: Path) -> None:
    place = folder_place(tmp_path)
    profiles = place.files / "profiles.toml"
    profiles.write_text(
        '[profiles.writer]\ndatasets = ["open_*"]\nbuckets = ["primary"]\nrights = ["read", "ingest"]\n'
    )
    named = {
        "BUCKETS": f"archive={tmp_path / 'archive'}",
        "RESCUE": str(tmp_path / "rescue"),
        "PROFILES": str(profiles),
    }
    place = replace(place, environment={f"LAKEHOUSE_{name}": value for name, value in named.items()})
    with place.open() as whole:
        whole.ingest({"name": "open_x.csv", "text": "id\n1\n2\n"}, bucket="archive")
        whole.ingest({"name": "open_y.csv", "text": "id\n1\n"})
    mine = {"name": "mine.csv", "text": "id\n9\n"}
    tables = Path(place.address) / "tables"
    with place.open(profile="writer") as lake:
        # The name is taken where the writer does not look.
        with pytest.raises(NotAllowed):
            lake.ingest(mine, "open_x")
        tables.rename(tables.with_name("held"))
        tables.write_text("")
        for dataset, bucket in (
            ("open_x", None),
            ("open_x", "primary"),
            ("open_new", "archive"),
            ("open_new", "nosuch"),
        ):
            with pytest.raises(LakehouseError) as caught:
                lake.ingest(mine, dataset, mode="replace", bucket=bucket)
            assert "kept as" not in str(caught.value)
        with pytest.raises(StorageFailed, match="kept as"):
            lake.ingest(mine, "open_new")
        tables.unlink()
        tables.with_name("held").rename(tables)
    with place.open() as whole:
        assert [(each.dataset, each.waits) for each in whole.replay_rescued().entries] == [("open_new", None)]
        assert whole.sql("SELECT count(*) FROM open_x").rows == [[2]]
        assert [info.key for info in whole.homes[1].bucket.list("tables") if "open_new" in info.key] == []


def test_why_a_rescued_load_waits_is_told_without_the_place(local: Place) -> None:
    tables = Path(local.address) / "tables"
    with local.open(profile="reader") as lake:
        tables.rename(tables.with_name("held"))
        tables.write_text("")
        with pytest.raises(StorageFailed):
            lake.ingest({"name": "open_late.csv", "text": "id\n5\n"}, "open_late")
        (waits,) = lake.replay_rescued().entries
        assert waits.waits is not None
        assert "storage_failed" in waits.waits
        assert CANARY not in str(waits)
        tables.unlink()
        tables.with_name("held").rename(tables)
        assert lake.replay_rescued().entries[0].version == 0


def test_a_model_s_address_and_words_are_not_told(tmp_path: Path) -> None:
    with running() as endpoint:
        environment = {"LAKEHOUSE_CHAT": f"openai:some-model@{endpoint.url}", "LAKEHOUSE_CHAT_KEY": SECRET}
        place = filled(replace(folder_place(tmp_path), environment=environment))
        broken = {"error": {"message": f"no credit at 10.0.0.7 for {SECRET[:-1]}"}}
        with place.open(profile="reader") as lake, pytest.MonkeyPatch.context() as patch:
            patch.setenv("LAKEHOUSE_CHAT_KEY", SECRET)
            for status in (400, 401, 404):
                endpoint.does(answer(broken, status=status))
                told = str(lake.ask("When does the gate open?"))
                assert "openai:some-model" in told
                for secret in ("10.0.0.7", SECRET[:-1], "127.0.0.1"):
                    assert secret not in told
        with place.open() as whole:
            known = {(each.operation, each.code) for each in whole.list_errors().errors}
            assert known == {("ask", "model_failed"), ("ask", "not_allowed")}
            assert SECRET not in str(whole.list_errors())


class Elsewhere:
    """An embedder behind an address."""

    model = spec = "openai:emb@http://10.0.0.7:81/v1"
    dimensions, share, floor = 4, 0.5, 0.0

    def embed(self, texts: Sequence[str], **_: object) -> np.ndarray:
        return np.tile(np.float32([1, 0, 0, 0]), (len(texts), 1))


def test_an_index_is_named_without_the_address_of_its_model(local: Place) -> None:
    named = replace(local, environment={**local.environment, "LAKEHOUSE_EMBEDDER": Elsewhere.spec})
    with named.open() as whole:
        whole._indexes._embedders[Elsewhere.spec] = Elsewhere()  # type: ignore[assignment]  # as much as is asked
        whole.ingest({"name": "open_more.md", "text": "# More\n\nThe door opens at nine.\n"})
    for embedder in ("wordllama", Elsewhere.spec):
        place = replace(local, environment={**local.environment, "LAKEHOUSE_EMBEDDER": embedder})
        with place.open(profile="reader") as lake:
            told = [
                str(lake.describe_dataset("open_more")),
                str(lake.sql("FROM system.generations").rows),
                received(lambda lake=lake: lake.search("door", "open_more")),
                received(lambda lake=lake: lake.ingest({"name": "open_more.md", "text": "# Again\n\nNo.\n"})),
            ]
            assert "openai:emb" in told[0]
            assert "openai:emb" in told[1]
            for text in told:
                assert "10.0.0.7" not in text


def test_nobody_waits_for_a_look_at_notices_but_who_looks(tmp_path: Path) -> None:
    class Hanging(LocalBucket):
        looks = 0

        def local_path(self, _key: str) -> None:
            return None

        def exists(self, _key: str) -> bool:
            self.looks += 1
            gone.wait(10)
            raise Unreachable("it did not answer")

    gone = threading.Event()
    bucket = Hanging(tmp_path / "bucket")
    notices = Notices(bucket, tmp_path, clear=lambda *_: None)
    first = threading.Thread(target=notices.check)
    first.start()
    while not bucket.looks:
        gone.wait(0.01)
    for _ in range(8):
        notices.check()
    gone.set()
    first.join()
    notices.check()
    assert bucket.looks == 1


def test_a_notice_that_cannot_be_read_is_named_and_stops_nothing_silently(local: Place) -> None:
    notice = Path(local.address) / "system" / "forgotten" / "00000001.json"
    with local.open() as whole:
        notice.parent.mkdir(parents=True, exist_ok=True)
        for damaged in (
            "not json",
            '{"dataset": null, "files": []}',
            '{"dataset": "people", "files": "abc"}',
            '{"dataset": "\\ud800", "files": []}',
            "[" * 10_000,
        ):
            notice.write_text(damaged)
            with pytest.raises(LakehouseError, match="is damaged"):
                whole.sql("SELECT 1")
        with pytest.raises(LakehouseError, match=r"forgotten/00000001\.json is damaged") as caught:
            whole.sql("SELECT 1")
        assert (caught.value.code, "dataset" in str(caught.value.hint)) == ("unsupported_lake", True)
        notice.write_text('{"dataset": "people", "files": []}')
        assert whole.sql("SELECT 1").rows == [[1]]
