"""`doctor` on good and broken lakes, and what it says of machines unlike this one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from cli.conftest import Cli
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.commands.environment import allowed, compiler_check, packages_check, python_check
from mcp_lakehouse.commands.lakechecks import confinement_check
from mcp_lakehouse.records import to_json


def by_name(report: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in report["checks"]}


def test_a_good_lake_passes(workers: Cli) -> None:
    report = workers.json("doctor")
    checks = by_name(report)
    assert report["ok"] is True
    for name in (
        "python",
        "packages",
        "tracing",
        "embedder",
        "chat model",
        "lake",
        "lake writes",
        "tables",
        "sql worker",
        "lake disk",
    ):
        assert checks[name]["status"] == "ok", checks[name]
    assert checks["confinement"]["status"] in ("ok", "warn")
    # Nothing of the write test is left.
    assert not any(path.name.startswith("_probe") for path in (workers.folder / "lakehouse").iterdir())


def test_people_read_one_line_for_each_check(workers: Cli) -> None:
    done = workers("doctor")
    assert "ok    lake: " in done.stdout
    assert "0 failed" in done.stderr


def test_a_missing_data_file_fails_and_says_how_to_go_back(workers: Cli) -> None:
    (data,) = (workers.folder / "lakehouse" / "tables" / "workers").glob("*.parquet")
    data.unlink()
    report = workers.json("doctor", expect=1)
    check = by_name(report)["table workers"]
    assert report["ok"] is False
    assert "missing" in check["message"]
    assert "mcp-lakehouse restore workers" in check["hint"]


def test_a_damaged_data_file_fails(workers: Cli) -> None:
    (data,) = (workers.folder / "lakehouse" / "tables" / "workers").glob("*.parquet")
    data.write_bytes(b"X" * data.stat().st_size)
    assert by_name(workers.json("doctor", expect=1))["table workers"]["status"] == "fail"


@pytest.mark.parametrize(("marker", "told"), [('{"format": 99}', "upgrade"), ("{", "damaged")])
def test_a_lake_that_does_not_open_fails_and_the_rest_is_still_checked(workers: Cli, marker: str, told: str) -> None:
    (workers.folder / "lakehouse" / "_lakehouse.json").write_text(marker)
    checks = by_name(workers.json("doctor", expect=1))
    assert checks["lake"]["status"] == "fail"
    assert told in checks["lake"]["message"] + checks["lake"]["hint"]
    assert checks["python"]["status"] == "ok"


def test_no_lake_yet_is_no_failure(cli: Cli) -> None:
    assert by_name(cli.json("doctor"))["lake"]["status"] == "warn"
    assert not any(cli.folder.iterdir())


def test_an_exporter_that_cannot_work_fails(cli: Cli) -> None:
    done = cli("doctor", environment={"LAKEHOUSE_TRACE": "langfuse"}, expect=1)
    assert "fail  tracing: " in done.stdout


def test_clients_are_listed_with_what_to_do(cli: Cli) -> None:
    (cli.folder / ".mcp.json").write_text("{}")
    (cli.folder / ".cursor").mkdir()
    (cli.folder / ".cursor" / "mcp.json").write_text("{")
    checks = by_name(cli.json("doctor"))
    assert checks["client claude-code"]["hint"] == "mcp-lakehouse install claude-code"
    assert checks["client cursor"]["status"] == "warn"


def test_a_missing_compiler_is_a_warning_that_names_the_package() -> None:
    for system, package in (("linux", "apt install g++"), ("darwin", "xcode-select --install")):
        check = compiler_check(None, True, system)
        assert check.status == "warn"
        assert package in (check.hint or "")
    headless = compiler_check("/usr/bin/c++", False, "linux")
    assert headless.status == "warn"
    assert "python3-dev" in (headless.hint or "")
    assert compiler_check("/usr/bin/c++", True, "linux").status == "ok"


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warn")]
)
def test_pythons_that_are_not_tested_are_told(version: tuple[int, int], status: str) -> None:
    assert python_check(version).status == status


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("2.3.0", ">=2.3,<2.4", True),
        ("2.4.0", ">=2.3,<2.4", False),
        ("2.2.9", "<2.4,>=2.3", False),
        ("26.0.0", ">=20", True),
        ("1.6.10", ">=1.6.6", True),
        ("3", ">=3.0.0", True),
        ("2.0.0.post1", ">=2.0", True),
        ("0.4.0.post1", ">=0.4.0.post1,<0.5", True),
        ("0.4.0", ">=0.4.0.post1,<0.5", False),
        ("5.0", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, specifier: str, expected: bool) -> None:
    assert allowed(version, specifier) is expected


def test_what_is_installed_here_is_what_we_ask_for() -> None:
    assert packages_check().status == "ok"


@pytest.mark.parametrize(
    ("landlock", "namespace", "status", "told"),
    [
        (6, True, "ok", "Landlock 6"),
        (4, False, "ok", "no network"),
        (3, False, "warn", "the network"),
        (0, True, "warn", "files"),
        (0, False, "warn", "files and the network"),
    ],
)
def test_a_kernel_that_lacks_a_wall_is_a_warning_that_says_which(
    landlock: int, namespace: bool, status: str, told: str
) -> None:
    check = confinement_check(landlock, namespace)
    assert check.status == status
    assert told in check.message
    assert bool(check.hint) == (status == "warn")


def test_rebuilding_drops_local_state_and_finds_every_table_again(workers: Cli) -> None:
    # Large enough to be kept as a file.
    workers("sql", "SELECT range, random() FROM range(300000)")
    results = workers.folder / "lakehouse" / "_cache" / "results"
    assert any(results.iterdir())

    report = workers.json("rebuild")

    assert not any(results.iterdir())
    assert report["broken"] == 0
    (table,) = [each for each in report["tables"] if not each["name"].startswith("system.")]
    assert (table["name"], table["version"], table["rows"], table["files"]) == ("workers", 0, 3, 1)
    assert "workers" in workers("rebuild").stdout


def test_rebuilding_drops_the_local_index_under_a_server_and_searches_find_the_same(cli: Cli) -> None:
    cli = Cli(cli.folder, cli.home, {"LAKEHOUSE_EMBEDDER": "wordllama"})
    cli("ingest", "-", "--name", "pay.md", text="# Pay\nOvertime is paid twice.\n\n# Leave\nTen days a year.\n")
    before = cli.json("search", "overtime pay")["results"]
    index = cli.folder / "lakehouse" / "_cache" / "index" / "pay"
    assert list(index.glob("rows/*.arrow"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKEHOUSE_EMBEDDER", "wordllama")
        with Lakehouse.open(cli.folder / "lakehouse") as serving:
            assert to_json(serving.search("overtime pay").results) == before

            cli("rebuild")

            assert {path.name for path in index.rglob("*") if path.is_file()} <= {"lock", "placing"}
            assert to_json(serving.search("overtime pay").results) == before
            assert serving.search("overtime", mode="keyword").results[0].text.startswith("# Pay")
    assert cli.json("search", "overtime pay")["results"] == before


def test_rebuilding_tells_of_a_table_that_is_not_whole(workers: Cli) -> None:
    workers("drop", "workers", "--confirm", "workers")
    (data,) = (workers.folder / "lakehouse" / "tables" / "workers").glob("*.parquet")
    data.write_bytes(data.read_bytes()[:-1])
    report = workers.json("rebuild", expect=1)
    (table,) = [each for each in report["tables"] if each["name"] == "workers"]
    assert "another size" in table["problem"]
    assert table["dropped"] is True
    assert "broken: workers" in workers("rebuild", expect=1).stderr


def test_a_damaged_log_does_not_hide_the_other_tables(workers: Cli) -> None:
    log = workers.folder / "lakehouse" / "tables" / "worse" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("not json")
    tables = {each["name"]: each for each in workers.json("rebuild", expect=1)["tables"]}
    assert "problem" in tables["worse"]
    assert "problem" not in tables["workers"]
    assert json.dumps(tables["workers"]["rows"]) == "3"


def test_datasets_of_other_buckets_are_looked_at_where_they_are(cli: Cli) -> None:
    cli = replace(cli, environment={"LAKEHOUSE_BUCKETS": f"archive={cli.folder / 'archive'}"})
    (cli.folder / "t.csv").write_text("a\n1\n")
    cli("ingest", "t.csv", "--bucket", "archive")
    assert {check["name"]: check["status"] for check in cli.json("doctor")["checks"]}["tables"] == "ok"
    assert "0 not whole" in cli("rebuild").stderr
    next((cli.folder / "archive").glob("tables/t/*.parquet")).unlink()
    assert "1 of 1 files are missing" in cli("doctor", expect=1).stdout


def test_a_reader_looks_at_no_files(cli: Cli) -> None:
    (cli.folder / "t.csv").write_text("a\n1\n")
    cli("ingest", "t.csv")
    (cli.folder / "lakehouse" / "lakehouse.toml").write_text('[profiles.reader]\ndatasets = ["t"]\n')
    reader = replace(cli, environment={"LAKEHOUSE_PROFILE": "reader"})
    assert "only an administrator may rebuild" in reader("rebuild", expect=1).stderr
    assert "only an administrator" in reader("doctor", expect=1).stdout
