"""`serve` as a client starts it: answers, stays quiet on stdout, ends with its client or on a signal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest

from cli.conftest import COMMAND, SECONDS, Cli

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Talk:
    """A bare client: lines of JSON, one answer at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, method: str, **params: Any) -> Any:
        self.send({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        return self.answer()["result"]

    def send(self, *messages: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())


@contextmanager
def served(cli: Cli, *arguments: str) -> Iterator[Talk]:
    process = subprocess.Popen(
        [COMMAND, "serve", *arguments],
        cwd=cli.folder,
        env=cli.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    talk = Talk(process)
    try:
        talk.send(INITIALIZE)
        assert talk.answer()["result"]["serverInfo"]["name"] == "mcp-lakehouse"
        talk.send(INITIALIZED)
        yield talk
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def test_it_makes_the_lake_serves_it_and_ends_with_its_client(cli: Cli) -> None:
    with served(cli, "--lake", "new") as talk:
        answer = talk.ask("tools/call", name="sql", arguments={"statement": "SELECT 40 + 2 AS n"})
        assert answer["structuredContent"]["rows"] == [[42]]
        rest, told = talk.process.communicate(timeout=SECONDS)
        assert (talk.process.returncode, rest, told) == (0, "", "")
    assert (cli.folder / "new" / "_lakehouse.json").is_file()
    assert list((cli.folder / "new" / "_cache" / "scratch").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_cleanly_although_its_client_still_speaks(cli: Cli, number: signal.Signals) -> None:
    with served(cli) as talk:
        talk.ask("tools/call", name="sql", arguments={"statement": "SELECT 1"})
        talk.process.send_signal(number)
        assert talk.process.wait(timeout=20) == 0
        assert talk.process.stderr is not None
        assert talk.process.stderr.read() == ""
    assert list((cli.folder / "lakehouse" / "_cache" / "scratch").iterdir()) == []


def test_read_only_lists_no_tool_that_changes_data(workers: Cli) -> None:
    with served(workers, "--read-only") as talk:
        names = {tool["name"] for tool in talk.ask("tools/list")["tools"]}
        assert names == {"list_datasets", "describe_dataset", "sql", "read_result", "search", "fetch", "ask"}


def test_ingest_reads_only_the_folders_that_were_allowed(cli: Cli) -> None:
    for name in ("in", "out"):
        (cli.folder / name).mkdir()
        (cli.folder / name / "x.csv").write_text("n\n1\n")
    with served(cli, "--allow", "in", "--allow", str(cli.home)) as talk:
        loaded = talk.ask("tools/call", name="ingest", arguments={"source": str(cli.folder / "in" / "x.csv")})
        assert loaded["structuredContent"]["rows_added"] == 1
        refused = talk.ask("tools/call", name="ingest", arguments={"source": str(cli.folder / "out" / "x.csv")})
        assert refused["isError"] is True
        assert "--allow" in refused["content"][0]["text"]


def test_a_server_that_cannot_start_says_why(cli: Cli) -> None:
    (cli.folder / "lakehouse").write_text("a file")
    assert "is a file" in cli("serve", expect=1).stderr
    wide = cli("serve", "--http", "0.0.0.0:0", "--lake", "x", expect=1)
    assert "LAKEHOUSE_TOKEN" in wide.stderr


def test_messages_may_come_from_a_file(cli: Cli) -> None:
    (cli.folder / "messages").write_text("".join(json.dumps(each) + "\n" for each in (INITIALIZE, INITIALIZED)))
    with (cli.folder / "messages").open() as messages, (cli.folder / "answers").open("w") as answers:
        done = subprocess.run(
            [str(COMMAND), "serve"],
            cwd=cli.folder,
            env=cli.variables(),
            stdin=messages,
            stdout=answers,
            timeout=SECONDS,
        )
    assert done.returncode == 0
    assert json.loads((cli.folder / "answers").read_text())["result"]["serverInfo"]["name"] == "mcp-lakehouse"


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_without_its_two_streams_it_says_so(cli: Cli, closed: str) -> None:
    done = cli.shell(f'"{COMMAND}" serve {closed}')
    assert done.returncode == 1
    assert "is closed" in done.stderr
    assert "--http" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_heavy_is_loaded_before_the_first_reply(cli: Cli) -> None:
    script = """
import sys
from mcp_lakehouse import app
from mcp_lakehouse.settings import read_settings
from lakehouse_tools import build_server
with app.opened(read_settings({"lake": "x"})) as lake:
    build_server(lake)
    print(*sorted(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cli.folder,
        env=cli.variables(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    loaded = set(done.stdout.split())
    assert "lakehouse_tools.server" in loaded, done.stderr
    heavy = {"duckdb", "pyarrow", "deltalake", "obstore", "opentelemetry.sdk", "pypdfium2", "selectolax", "shtab"}
    assert loaded & heavy == set()


def test_http_answers_on_a_free_port_and_ends_on_a_signal(workers: Cli) -> None:
    with subprocess.Popen(
        [COMMAND, "serve", "--http", "127.0.0.1:0"],
        cwd=workers.folder,
        env=workers.variables(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            address = process.stderr.readline().split("MCP at ")[1].split("/mcp")[0]
            with urlopen(f"{address}/health", timeout=SECONDS) as answer:
                assert answer.status == 200
            question = Request(
                f"{address}/sql", b'{"statement": "FROM workers"}', {"Content-Type": "application/json"}, method="POST"
            )
            with urlopen(question, timeout=SECONDS) as answer:
                assert json.load(answer)["row_count"] == 3
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
