"""Who may import whom, what start-up may load, and what a module may hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "mcp_lakehouse": ROOT / "mcp_lakehouse",
    "lakehouse_tools": ROOT / "tools" / "lakehouse_tools",
    "lakehouse_prompts": ROOT / "prompts" / "lakehouse_prompts",
}
# The composition root: it puts the rooms together, so it may know them all.
COMPOSITION = frozenset({"mcp_lakehouse.app", "mcp_lakehouse.cli", "mcp_lakehouse.__main__"})
# An MCP client that lives in the package, so that the installed command can show a whole session.
CLIENTS = frozenset({"mcp_lakehouse.demo"})
# A package: what of our own it may import.
ARROWS = {
    "mcp_lakehouse": {"mcp_lakehouse"},
    "lakehouse_tools": {"lakehouse_tools", "lakehouse_prompts", "mcp_lakehouse"},
    "lakehouse_prompts": {"lakehouse_prompts", "mcp_lakehouse.errors"},
}
# Each costs a tenth of a second or more; `--help` and the first reply over stdio must not pay for it.
HEAVY = (
    "anyio",
    "deltalake",
    "duckdb",
    "hnswlib",
    "httpx",
    "lakehouse_tools",
    "langfuse",
    "markdown_it",
    "mcp",
    "numkong",
    "numpy",
    "obstore",
    "onnxruntime",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "pyarrow",
    "pydantic",
    "pypdfium2",
    "python_calamine",
    "requests",
    "selectolax",
    "tantivy",
    "tokenizers",
)
LINES_OF_A_FILE = 350
LINES_WITH_A_REASON = 600
LONGER = {
    "mcp_lakehouse/lakehouse.py": "the façade: one short method for each verb",
    "mcp_lakehouse/ingest/load.py": "one load from its source to its commit",
    "mcp_lakehouse/records.py": "what verbs answer with, one record after the other",
    "mcp_lakehouse/sql/engine.py": "everything that runs inside the locked worker",
    "mcp_lakehouse/sql/guard.py": "one walk over the statement's tree, read as a whole by whoever reviews it",
}
CONSTANT = re.compile(r"_?_?[A-Z][A-Z0-9_]*$|__\w+__$")
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = {
    "list",
    "dict",
    "set",
    "bytearray",
    "deque",
    "defaultdict",
    "Counter",
    "OrderedDict",
    "WeakValueDictionary",
}


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of ours by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found


def every_file() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def imported(name: str, tree: ast.AST) -> Iterator[str]:
    """The modules that are imported anywhere below this node, as absolute names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = any(other.startswith(f"{name}.") for other in modules())
                parent = name if is_package else name.rpartition(".")[0]
                base = f"{parent}.{base}".rstrip(".")
            # `from package import module` names a module too.
            yield from (f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules() else base for alias in node.names)


def within(name: str, packages: set[str] | frozenset[str] | tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def room(name: str) -> str:
    """`mcp_lakehouse.sql.guard` is in the room `mcp_lakehouse.sql`."""
    return ".".join(name.split(".")[:2])


def test_rooms_import_only_what_the_arrows_allow() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, tree in modules().items()
        if not within(name, COMPOSITION)
        for target in imported(name, tree)
        if within(target, set(FOLDERS)) and not within(target, ARROWS[name.split(".")[0]])
    ]
    assert wrong == []


def test_nothing_imports_the_composition_root() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, tree in modules().items()
        if not within(name, COMPOSITION)
        for target in imported(name, tree)
        if within(target, COMPOSITION)
    ]
    assert wrong == []


def test_the_lake_knows_nothing_of_mcp() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, tree in modules().items()
        if within(name, {"mcp_lakehouse"}) and not within(name, COMPOSITION | CLIENTS)
        for target in imported(name, tree)
        if within(target, {"mcp", "mcp_types"})
    ]
    assert wrong == []


def test_rooms_of_the_lake_form_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for name, tree in modules().items():
        if within(name, {"mcp_lakehouse"}) and name != "mcp_lakehouse":
            targets = {room(target) for target in imported(name, tree) if within(target, {"mcp_lakehouse"})}
            graph.setdefault(room(name), set()).update(targets - {room(name), "mcp_lakehouse"})
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))
    assert order


def test_no_import_climbs_out_of_its_room() -> None:
    wrong = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level > 1
    ]
    assert wrong == []


def test_no_module_holds_state() -> None:
    wrong = []
    for name, tree in modules().items():
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            called = value.func if isinstance(value, ast.Call) else None
            mutable = isinstance(value, MUTABLE) or getattr(called, "attr", getattr(called, "id", "")) in MUTABLE_CALLS
            if mutable:
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                wrong += [f"{name}:{node.lineno} {each}" for each in names if not CONSTANT.match(each)]
        wrong += [f"{name}:{node.lineno} global" for node in ast.walk(tree) if isinstance(node, ast.Global)]
    assert wrong == []


def test_no_constant_is_changed_after_it_was_made() -> None:
    changing = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear", "discard"}
    wrong = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            owner = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changing:
                owner = node.func.value
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                owner = node.value
            if isinstance(owner, ast.Name) and CONSTANT.match(owner.id):
                wrong.append(f"{name}:{node.lineno} {owner.id}")  # type: ignore[attr-defined]
    assert wrong == []


def test_files_hold_one_idea_each() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in every_file()}
    allowed = dict.fromkeys(LONGER, LINES_WITH_A_REASON)
    assert {name: lines for name, lines in lengths.items() if lines > allowed.get(name, LINES_OF_A_FILE)} == {}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["sql", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = """
import contextlib, sys
from mcp_lakehouse.cli import main
with contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout
    assert [name for name in done.stderr.split() if within(name, HEAVY)] == []


def test_the_library_loads_nothing_heavy_before_it_is_used() -> None:
    script = "import sys, mcp_lakehouse; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert [name for name in done.stdout.split() if within(name, HEAVY)] == []
