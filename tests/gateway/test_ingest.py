"""POST /ingest: JSON like the tool's arguments, and uploads."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated

from gateway.conftest import PEOPLE, Served, serving
from mcp_lakehouse.gateway.limits import HttpLimits
from mcp_lakehouse.limits import MIB

MORE = b"id,name,city\n4,Barbara,Boston\n"
BOUNDARY = "a-boundary"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lake that takes uploads of at most one megabyte."""
    limits = HttpLimits(upload_bytes=MIB, upload_files=3, field_bytes=100, shutdown_seconds=1)
    with serving(tmp_path_factory.mktemp("small"), limits=limits) as each:
        yield each


def left_over(served: Served) -> list[Path]:
    """Files of uploads that are still there."""
    return [path for path in served.lake.results.folder.parent.rglob("upload/*") if path.is_file()]


def multipart(*parts: str, end: str = f"--{BOUNDARY}--\r\n") -> bytes:
    return ("".join(f"--{BOUNDARY}\r\n{part}\r\n" for part in parts) + end).encode()


def part(disposition: str, body: str = "a,b\n1,2\n") -> str:
    return f"Content-Disposition: form-data; {disposition}\r\n\r\n{body}"


def test_a_path_below_an_allowed_folder_is_loaded(served: Served) -> None:
    (served.files / "towns.csv").write_text("town,size\nOslo,700000\n")
    answer = served.http.post("/ingest", json={"source": str(served.files / "towns.csv"), "description": "where"})
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["dataset"], report["rows_added"], report["unchanged"]) == ("towns", 1, False)
    again = served.http.post("/ingest", json={"source": str(served.files / "towns.csv")})
    assert again.json()["unchanged"] is True
    assert served.rows("SELECT town FROM towns") == [["Oslo"]]
    document = served.http.get("/openapi.json").json()
    jsonschema.validate(report, document["components"]["schemas"]["IngestResult"])


def test_inline_text_is_loaded(served: Served) -> None:
    source = {"text": "k\tv\nα\t1\n", "name": "letters.tsv"}
    answer = served.http.post("/ingest", json={"source": source})
    assert answer.json()["dataset"] == "letters"
    assert served.rows("FROM letters") == [["α", 1]]


def test_an_uploaded_file_is_loaded_under_its_own_name_and_not_kept(served: Served) -> None:
    answer = served.http.post("/ingest", files={"file": ("New People.csv", PEOPLE.encode())})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["dataset"], answer.json()["rows_added"]) == ("new_people", 3)
    lineage = served.lake.describe_dataset("new_people").lineage[0]
    assert lineage.source == "New People.csv"
    assert left_over(served) == []


def test_an_upload_takes_the_arguments_of_the_tool_as_fields(served: Served) -> None:
    fields = {"dataset": "staff", "mode": "append", "key": "id", "text": "name, city", "description": "who works here"}
    first = served.http.post("/ingest", files={"file": ("a.csv", PEOPLE.encode())}, data=fields)
    assert first.status_code == 200, first.text
    changed = b"id,name,city\n1,Ada,Paris\n5,Alan,Wilmslow\n"
    second = served.http.post(
        "/ingest", files={"file": ("b.csv", changed)}, data={"dataset": "staff", "mode": "upsert"}
    )
    assert (second.json()["rows_added"], second.json()["rows_updated"]) == (1, 1), second.text
    described = served.lake.describe_dataset("staff")
    assert (described.key, described.description, described.rows) == (["id"], "who works here", 4)


def test_several_files_become_one_version(served: Served) -> None:
    files = [("file", ("one.csv", PEOPLE.encode())), ("file", ("two.csv", MORE))]
    answer = served.http.post("/ingest", files=files, data={"dataset": "everybody"})
    assert (answer.json()["rows_added"], answer.json()["version"]) == (4, 0), answer.text


def test_a_large_upload_goes_through_the_disk(served: Served) -> None:
    rows = "".join(f"{number},{'x' * 90}\n" for number in range(100_000))
    answer = served.http.post("/ingest", files={"file": ("large.csv", f"id,text\n{rows}".encode())})
    assert answer.json()["rows_added"] == 100_000, answer.text
    assert left_over(served) == []


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("../../outside.csv", "outside"),
        ("C:\\data\\windows.csv", "windows"),
        ("/etc/cron.d/absolute.csv", "absolute"),
        ("..csv", None),
        ("", None),
        ("ctrl\x01\x7f.csv", "ctrl"),
        ("длинное имя.csv", None),
        ("n" * 400 + ".csv", None),
    ],
    ids=["climbing", "Windows", "absolute", "dots", "none", "controls", "Cyrillic", "long"],
)
def test_an_uploaded_file_s_name_is_only_a_name(served: Served, name: str, dataset: str | None) -> None:
    unique = f"a,b\n1,{abs(hash(name))}\n"
    body = multipart(part(f'name="file"; filename="{name}"', unique))
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = served.http.post("/ingest", content=body, headers=kind)
    assert answer.status_code == 200, answer.text
    if dataset is not None:
        assert answer.json()["dataset"] == dataset
    assert left_over(served) == []
    assert not list(served.files.parent.glob("*.csv"))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"source": "/etc/passwd"}, 403, "not_allowed"),
        ({"source": {"text": "", "name": "x.csv"}}, 400, "invalid_input"),
        ({"source": {"text": "a\n1\n", "name": "x.csv"}, "mode": "merge"}, 400, "invalid_input"),
        ({"source": {"text": "a\n1\n", "name": "x.csv"}, "mode": "upsert"}, 400, "invalid_input"),
        ({"source": {"text": "name\nx\n", "name": "x.csv"}, "dataset": "no/name"}, 400, "invalid_input"),
        ({"source": {"text": '{"broken', "name": "x.json"}}, 422, "unreadable_source"),
    ],
    ids=["outside", "empty", "mode", "no key", "name", "broken"],
)
def test_a_source_that_cannot_be_loaded_is_a_problem_with_a_hint(
    served: Served, body: object, status: int, code: str
) -> None:
    answer = served.http.post("/ingest", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.json()["hint"]


def test_a_file_that_is_not_there_is_not_found(served: Served) -> None:
    answer = served.http.post("/ingest", json={"source": str(served.files / "nothing.csv")})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_data_that_does_not_fit_conflicts(served: Served) -> None:
    served.http.post("/ingest", json={"source": {"text": "n\n1\n", "name": "numbers.csv"}})
    body = {"source": {"text": "n\nmany\n", "name": "numbers.csv"}}
    answer = served.http.post("/ingest", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "schema_mismatch"), answer.text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (multipart(part('name="dataset"', "x")), "holds no file"),
        (multipart(part('name="colour"', "red"), part('name="file"; filename="a.csv"')), "unknown field 'colour'"),
        (multipart(part('name="file"; filename="a.csv"'), end=""), "ends too early"),
        (multipart(*[part(f'name="file"; filename="{n}.csv"') for n in range(4)]), "more than 3 files"),
        (multipart(*[part('name="file"; filename="a.csv"')] * 2), "two files are called a.csv"),
        (multipart(part('name="dataset"', "x" * 101)), "too long"),
        (b"nothing of the kind", "cannot be read"),
        (b"", "ends too early"),
    ],
    ids=["no file", "unknown field", "cut", "many", "twice", "long field", "no multipart", "empty"],
)
def test_a_multipart_body_that_is_wrong_says_how(small: Served, body: bytes, says: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = small.http.post("/ingest", content=body, headers=kind)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert left_over(small) == []
    assert small.lake.list_datasets().datasets == []


def test_a_multipart_body_without_a_boundary_is_refused(small: Served) -> None:
    answer = small.http.post("/ingest", content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (answer.status_code, "no boundary" in answer.json()["detail"]) == (400, True)


@pytest.mark.parametrize("counted", [True, False], ids=["of known length", "of unknown length"])
def test_an_upload_that_is_too_large_is_refused_and_not_kept(small: Served, counted: bool) -> None:
    body = multipart(part('name="file"; filename="a.csv"', "x" * 2 * MIB))
    pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = small.http.post("/ingest", content=body if counted else pieces, headers=kind)
    assert (answer.status_code, answer.json()["code"]) == (413, "limit_exceeded")
    assert "1 MiB" in answer.json()["detail"]
    assert left_over(small) == []


def test_more_inline_text_than_the_limit_is_too_large(served: Served) -> None:
    answer = served.http.post("/ingest", json={"source": {"text": "a\n" + "1\n" * 2_200_000, "name": "x.csv"}})
    assert (answer.status_code, answer.json()["code"]) == (413, "limit_exceeded")
    assert "4 MB" in answer.json()["detail"]


def test_a_full_disk_is_told_as_such_and_nothing_is_kept(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "open", full)
    answer = served.http.post("/ingest", files={"file": ("x.csv", b"a\n1\n")})
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_failed")
    assert answer.json()["hint"]
    assert left_over(served) == []


def test_a_read_only_lake_takes_nothing(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    with serving(tmp_path, read_only=True) as served:
        for answer in (
            served.http.post("/ingest", json={"source": {"text": "a\n1\n", "name": "x.csv"}}),
            served.http.post("/ingest", files={"file": ("x.csv", b"a\n1\n")}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert "/ingest" not in served.http.get("/openapi.json").json()["paths"]
        assert served.rows("SELECT 1") == [[1]]


@pytest.mark.anyio
async def test_mcp_subscribers_hear_of_a_load_over_rest(served: Served) -> None:
    uri = "lakehouse://datasets/heard"
    async with Client(f"{served.url}/mcp") as client, client.listen(resource_subscriptions=[uri]) as events:
        answer = served.http.post("/ingest", json={"source": {"text": "a\n1\n", "name": "heard.csv"}})
        assert answer.status_code == 200, answer.text
        assert await anext(aiter(events)) == ResourceUpdated(uri=uri)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
