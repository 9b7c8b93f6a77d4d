"""The commands that load, ask and change, each as a process of its own."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

from cli.conftest import WORKERS, Cli


def test_a_file_is_loaded_listed_described_and_queried(cli: Cli) -> None:
    (cli.folder / "workers.csv").write_text(WORKERS, encoding="utf-8")

    report = cli.json("ingest", "workers.csv", "--description", "who works here", "--key", "worker_id")
    assert (report["dataset"], report["version"], report["rows_added"]) == ("workers", 0, 3)
    assert {each["column"]: each["type"] for each in report["inferred"]}["hired"] == "DATE"

    (listed,) = cli.json("datasets")["datasets"]
    assert (listed["name"], listed["rows"], listed["description"]) == ("workers", 3, "who works here")

    described = cli.json("describe", "workers")
    assert described["key"] == ["worker_id"]
    assert [column["name"] for column in described["columns"]] == ["worker_id", "name", "rate", "hired"]
    assert described["sample"]

    result = cli.json("sql", "SELECT name, rate FROM workers ORDER BY name")
    assert result["rows"][2] == ["Cleo", None]
    assert result["row_count"] == 3
    assert result["truncated"] is False


def test_people_get_tables_and_the_rest_goes_to_stderr(workers: Cli) -> None:
    done = workers("sql", "SELECT name, rate FROM workers ORDER BY name")

    lines = done.stdout.splitlines()
    assert lines[0].split() == ["name", "rate"]
    assert lines[-1].split() == ["Cleo", "NULL"]
    assert "3 rows" in done.stderr
    # Numbers end in one column.
    assert len(lines[3].rstrip()) == len(lines[4].rstrip())
    assert "workers" in workers("datasets").stdout
    described = workers("describe", "workers").stdout
    assert "sample" in described
    # What is estimated says so.
    assert re.search(r"^worker_id .* ~\d+ ", described, re.MULTILINE)


def test_the_same_bytes_again_are_told_as_unchanged(workers: Cli) -> None:
    assert "unchanged" in workers("ingest", "workers.csv").stdout
    assert workers.json("ingest", "workers.csv")["unchanged"] is True


def test_sources_may_lie_anywhere_the_person_can_read(cli: Cli, tmp_path: Path) -> None:
    far = tmp_path / "far" / "away"
    far.mkdir(parents=True)
    for name in ("a", "b"):
        (far / f"{name}.csv").write_text(f"n\n{ord(name)}\n", encoding="utf-8")

    assert cli.json("ingest", str(far / "a.csv"))["dataset"] == "a"
    assert cli.json("ingest", f"{far}/*.csv", "--dataset", "both")["rows_added"] == 2
    assert cli.json("ingest", str(far), "--dataset", "folder")["rows_added"] == 2
    assert cli.json("ingest", str(far / "a.csv"), str(far / "b.csv"), "--dataset", "pair")["rows_added"] == 2
    assert cli.json("ingest", "../far/away/b.csv")["dataset"] == "b"
    assert cli.json("ingest", (far / "b.csv").as_uri(), "--dataset", "url")["rows_added"] == 1


def test_standard_input_is_a_source_of_any_format(cli: Cli) -> None:
    report = cli.json("ingest", "-", "--name", "numbers.csv", text="n\n1\n2\n")
    assert (report["dataset"], report["rows_added"]) == ("numbers", 2)
    assert cli.json("describe", "numbers")["lineage"][0]["source"] == "numbers.csv"
    assert cli.json("ingest", "-", "--name", "more.ndjson", text='{"n": {"m": 1}}\n')["rows_added"] == 1


def test_upsert_and_replace_make_new_versions_and_old_ones_stay(workers: Cli) -> None:
    (workers.folder / "raise.csv").write_text("worker_id,name,rate,hired\n2,Ben,20.00,2024-03-04\n", encoding="utf-8")
    report = workers.json("ingest", "raise.csv", "--dataset", "workers", "--mode", "upsert", "--key", "worker_id")
    assert (report["version"], report["rows_updated"], report["rows_added"]) == (1, 1, 0)

    both = "SELECT n.rate, b.rate FROM workers n, workers b AT (VERSION => 0) WHERE n.name = 'Ben' AND b.name = 'Ben'"
    assert workers.json("sql", both)["rows"] == [[20.0, 18.25]]

    assert workers.json("ingest", "raise.csv", "--dataset", "workers", "--mode", "replace")["version"] == 2
    assert workers.json("sql", "SELECT count(*) FROM workers")["rows"] == [[1]]
    assert workers.json("restore", "workers", "--version", "0")["version"] == 3
    assert workers.json("sql", "SELECT count(*) FROM workers")["rows"] == [[3]]


def test_dropping_wants_the_name_twice_and_can_be_undone(workers: Cli) -> None:
    refused = workers("drop", "workers", "--confirm", "worker", expect=1)
    assert "hint: give the dataset's name again" in refused.stderr
    assert workers.json("drop", "workers", "--confirm", "workers")["dropped"] == "workers"
    assert workers.json("datasets")["datasets"] == []
    assert "restore" in workers("describe", "workers", expect=1).stderr
    workers("restore", "workers")
    assert len(workers.json("datasets")["datasets"]) == 1


def test_compacting_leaves_fewer_files_and_the_same_rows(cli: Cli) -> None:
    for number in range(3):
        cli("ingest", "-", "--name", "n.csv", text=f"n\n{number}\n")
    compacted = cli.json("compact", "n")
    assert (compacted["files_before"], compacted["files"]) == (3, 1)
    assert cli.json("sql", "SELECT list(n ORDER BY n) FROM n")["rows"] == [[[0, 1, 2]]]


def test_statements_come_from_standard_input_and_take_parameters(workers: Cli) -> None:
    named = workers.json("sql", "-", "--param", "least=20", text="SELECT name FROM workers WHERE rate > $least")
    assert named["rows"] == [["Ada"]]
    texts = workers.json("sql", "SELECT $a, $b", "--param", "a=007", "--param", "b=x=y")
    assert texts["rows"] == [["007", "x=y"]]
    listed = workers.json("sql", "SELECT name FROM workers WHERE worker_id = ?", "--params", "[3]")
    assert listed["rows"] == [["Cleo"]]


def test_more_rows_than_one_reply_carries_are_read_page_by_page(workers: Cli) -> None:
    result = workers.json("sql", "SELECT range AS n FROM range(2500)", "--max-rows", "2200")
    assert [row[0] for row in result["rows"]] == list(range(2200))
    assert (result["row_count"], result["truncated"]) == (2500, True)
    whole = workers.json("sql", "SELECT range AS n FROM range(1500)", "--max-rows", "1000000")
    assert (len(whole["rows"]), whole["truncated"]) == (1500, False)


def test_rejected_rows_are_told_with_how_to_see_them(cli: Cli) -> None:
    rows = "".join(f"{number},{number}.5\n" for number in range(300))
    (cli.folder / "rates.csv").write_text(f"id,rate\n{rows}300,call payroll\n301\n", encoding="utf-8")

    done = cli("ingest", "rates.csv")

    assert "300 rows added, 2 rejected" in done.stdout
    statement = done.stderr.split('sql "')[1].split('"\n')[0]
    lines = cli.json("sql", statement.replace("FROM", "SELECT line FROM"))["rows"]
    assert sorted(line for (line,) in lines) == [302, 303]


def test_a_file_that_cannot_be_read_does_not_keep_a_folder_from_being_loaded(cli: Cli) -> None:
    (cli.folder / "days").mkdir()
    for name, content in (("a.csv", b"n\n1\n"), ("b.csv", b"n\n2\n"), ("picture.csv", b"\x89PNG\r\n\0\0")):
        (cli.folder / "days" / name).write_bytes(content)
    for source in (["days"], ["days/a.csv", "days/b.csv", "days/picture.csv", "--dataset", "listed"]):
        done = cli("ingest", *source)
        assert "2 rows added, 1 rejected" in done.stdout
        assert "note: left out: picture.csv holds a PNG image" in done.stderr
    again = cli("ingest", "days")
    assert "days v0: unchanged, 1 rejected" in again.stdout
    assert "picture.csv holds a PNG image" in again.stderr
    assert "PNG" in cli("ingest", "days/picture.csv", expect=1).stderr


def test_a_description_fits_a_page(cli: Cli) -> None:
    rows = "".join(f"{number},{'long words ' * 60},{'more ' * 90}\n" for number in range(4))
    many = ",".join(f"column_{number}" for number in range(30))
    cli("ingest", "-", "--name", "long.csv", text=f"n,first_text,second_text\n{rows}")
    cli("ingest", "-", "--name", "wide.csv", text=f"{many}\n{','.join(['word ' * 60] * 30)}\n")
    for name in ("long", "wide"):
        shown = cli("describe", name).stdout
        assert max(map(len, shown.splitlines())) <= 100
        assert "…" in shown
    assert "second_text" in cli("describe", "long").stdout
    # Programs get it whole.
    assert len(cli.json("describe", "long")["sample"][0][1]) > 500


def test_names_and_values_of_any_script_come_through(cli: Cli) -> None:
    text = "название,值\nпривет,你好\n🙂,مرحبا\n"
    cli("ingest", "-", "--name", "schön.csv", text=text)
    assert cli.json("sql", "SELECT * FROM schön ORDER BY 1")["rows"][0] == ["привет", "你好"]
    assert "🙂" in cli("sql", "FROM schön").stdout


def test_control_characters_in_data_do_not_reach_the_terminal(cli: Cli) -> None:
    cli("ingest", "-", "--name", "evil.ndjson", text=json.dumps({"a": "\x1b[31mred\x07", "b": "\u202egpj"}) + "\n")
    shown = cli("sql", "FROM evil").stdout
    assert "\x1b" not in shown
    assert "\\x1b[31mred\\x07" in shown
    assert "\\u202egpj" in shown
    assert cli.json("sql", "FROM evil")["rows"][0][0] == "\x1b[31mred\x07"


def test_many_columns_are_shown_whole_where_nothing_is_narrow(cli: Cli) -> None:
    many = ", ".join(f"{number} AS a_long_column_name_{number}" for number in range(60))
    cli("ingest", "-", "--name", "x.csv", text="n\n1\n")
    assert "a_long_column_name_59" in cli("sql", f"SELECT {many}").stdout


def test_compressed_files_and_the_lake_flag_in_either_place(cli: Cli) -> None:
    (cli.folder / "z.csv.gz").write_bytes(gzip.compress(b"n\n1\n"))
    cli("--lake", "other", "ingest", "z.csv.gz")
    assert cli.json("datasets", "--lake", "other")["datasets"][0]["name"] == "z"
    assert cli.json("--lake", "other", "datasets", "--match", "nothing")["datasets"] == []
