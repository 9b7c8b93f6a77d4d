"""A profile that is defined otherwise begins anew, and a definition that would restrict nothing is refused or told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.errors import InvalidInput, LakehouseError, NotAllowed, NotFound

STAFF = "id,name,region,pay\n1,Ada,north,7701\n2,Ben,east,7702\n3,Cleo,east,7703\n"
SECRETS = "code,memo\n1,launch at midnight\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder with the lake `lake`, whose `staff` was loaded twice."""
    with Lakehouse.open(tmp_path / "lake") as lake:
        lake.ingest({"name": "staff.csv", "text": STAFF})
        lake.ingest({"name": "secrets.csv", "text": SECRETS})
    return tmp_path


def define(folder: Path, text: str) -> Callable[[], Lakehouse]:
    """Writes the profile `reader`; opens the lake as it."""
    (folder / "lake" / "lakehouse.toml").write_text(f"[profiles.reader]\n{text}")
    return lambda: Lakehouse.open(folder / "lake", profile="reader", allow=[folder])


def test_nothing_that_was_made_for_a_former_definition_is_shown(folder: Path) -> None:
    former = (
        'datasets = ["staff"]\n[profiles.reader.restrict.staff]\nwhere = "region = \'east\'"\ncolumns = ["id", "pay"]'
    )
    with define(folder, former)() as lake:
        assert [column.max for column in lake.describe_dataset("staff").columns] == [3, 7703]
        handle = lake.sql("FROM staff").result_uri
        assert handle is not None
    now = (
        'datasets = ["staff"]\n[profiles.reader.restrict.staff]\nwhere = "region = \'north\'"\ncolumns = ["id", "name"]'
    )
    with define(folder, now)() as lake:
        columns = lake.describe_dataset("staff").columns
        assert [(column.name, column.min, column.max) for column in columns] == [("id", 1, 1), ("name", "Ada", "Ada")]
        with pytest.raises(NotFound):
            lake.read_result(handle)
        kept = [path for path in (folder / "lake" / "_cache" / "profiles").rglob("*") if path.is_file()]
        assert kept
        assert not any(b"7703" in path.read_bytes() for path in kept)


def test_what_is_kept_for_a_former_definition_stays_while_somebody_serves_it(folder: Path) -> None:
    with define(folder, 'datasets = ["staff"]')() as former:
        handle = former.sql("FROM staff").result_uri
        with define(folder, 'datasets = ["staff", "secrets"]')() as now:
            assert now.sql("SELECT count(*) FROM secrets").rows == [[1]]
        assert former.read_result(str(handle)).row_count == 3


@pytest.mark.parametrize(
    "source",
    [
        "lake/tables/secrets/*.parquet",
        "lake/tables",
        "lake/tables/secrt",
        "lake/_cache/x*",
        "lake/lakehouse.toml",
        "lake/../lake/tables/secrets/*.parquet",
        "link/*.parquet",
    ],
)
def test_whoever_may_load_does_not_read_the_lake_as_files(folder: Path, source: str) -> None:
    (folder / "link").symlink_to(folder / "lake" / "tables" / "secrets")
    with define(folder, 'datasets = ["up_*"]\nrights = ["read", "ingest"]')() as lake:
        with pytest.raises(NotAllowed) as refused:
            lake.ingest(str(folder / source), dataset="up_0")
        assert "part-" not in str(refused.value)
        assert "'secrets'" not in str(refused.value)


def test_a_folder_with_the_lake_in_it_is_loaded_without_the_lake(folder: Path) -> None:
    (folder / "more.csv").write_text("id,name,region,pay\n4,Dan,west,7704\n")
    with Lakehouse.open(folder / "lake", allow=[folder]) as lake:
        assert lake.ingest(str(folder), dataset="folder").rows_added == 1


def test_a_rejected_row_of_a_reader_s_load_has_no_handle(folder: Path) -> None:
    with define(folder, 'datasets = ["up_*"]\nrights = ["read", "ingest"]')() as lake:
        report = lake.ingest({"name": "b.csv", "text": "n\n" + "3\n" * 200 + "x\n"}, dataset="up_0")
        assert (report.rows_rejected, report.rejects_uri) == (1, None)


@pytest.mark.parametrize("name", ['"sta*"', "Staff", '"a b"'])
def test_a_restriction_of_what_can_be_no_dataset_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a dataset's name"):
        define(folder, f'datasets = ["*"]\n[profiles.reader.restrict.{name}]\nhide = ["pay"]')()


def test_a_restriction_of_what_is_not_there_is_told(folder: Path) -> None:
    define(folder, 'datasets = ["*"]\n[profiles.reader.restrict.stff]\nhide = ["pay"]')
    with Lakehouse.open(folder / "lake") as lake:
        lake.ingest({"name": "gone.csv", "text": SECRETS})
        lake.drop_dataset("gone", "gone")
        shown = {each.dataset: each.problem for each in lake.list_profiles("reader").shown or ()}
    assert shown == {
        "secrets": None,
        "staff": None,
        "stff": "there is no such dataset: this restriction is of nothing",
    }


def test_a_bucket_that_is_away_is_not_named(folder: Path) -> None:
    settings = f'[buckets]\nhidnarchive = "{folder / "archive"}"\n'
    file = folder / "lake" / "lakehouse.toml"
    file.write_text(settings)
    with Lakehouse.open(folder / "lake") as lake:
        lake.ingest({"name": "far.csv", "text": SECRETS}, bucket="hidnarchive")
    (folder / "archive").rename(folder / "elsewhere")
    file.write_text(settings + '[profiles.reader]\ndatasets = ["staff"]\n')
    with Lakehouse.open(folder / "lake", profile="reader") as lake:
        for call in (lambda: lake.sql("FROM nosuch"), lambda: lake.describe_dataset("nosuch")):
            with pytest.raises(LakehouseError) as error:
                call()
            assert "hidn" not in str(error.value)
            assert "staff" in str(error.value)
