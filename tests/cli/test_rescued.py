"""A refused load on the command line: told, counted, warned of and finished."""

from __future__ import annotations

from dataclasses import replace

from cli.conftest import Cli


def test_a_refused_load_is_told_counted_and_finished(cli: Cli) -> None:
    archive, data = cli.folder / "archive", cli.folder / "t.csv"
    named = {"LAKEHOUSE_BUCKETS": f"archive={archive}", "LAKEHOUSE_RESCUE": str(cli.folder / "rescue")}
    cli = replace(cli, environment=named)
    data.write_text("a\n1\n")
    archive.mkdir()
    # A file where its folder is to be.
    (archive / "tables").write_text("")
    told = cli("ingest", "t.csv", "--bucket", "archive", expect=1).stderr
    assert "mcp-lakehouse replay finishes it" in told
    assert "1 refused write waiting; finish with: mcp-lakehouse replay" in cli("buckets").stderr
    checks = {check["name"]: check for check in cli.json("doctor")["checks"]}
    assert checks["rescue bucket"]["status"] == "ok"
    assert (checks["rescued writes"]["status"], checks["rescued writes"]["hint"]) == ("warn", "mcp-lakehouse replay")
    assert "still waits" in cli("replay", expect=1).stdout
    (archive / "tables").unlink()
    (done,) = cli.json("replay")["entries"]
    assert (done["dataset"], done["version"]) == ("t", 0)
    assert "nothing waits" in cli("replay").stderr
