"""Node and the official tools, installed by npm into the repository's `.node` folder (not in git)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".node"
PACKAGES = {
    # The suite and the Inspector need a newer Node than many machines have.
    "node": "22.23.3",
    # The newest release that is not a pre-release knows nothing of the revision 2026-07-28.
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/inspector": "2.12.0",
}
INSTALL_SECONDS = 300
_NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b")


class Unavailable(Exception):
    """There is no npm here, or npm reaches no registry."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a tool ended."""

    status: int
    output: str
    errors: str


class Node:
    """The installed tools."""

    def conformance(self, *arguments: str, seconds: float = 120) -> Done:
        """The conformance suite; its results go to standard output."""
        return self._run("conformance/dist/index.js", arguments, seconds)

    def inspector(self, *arguments: str, seconds: float = 60) -> Done:
        """The Inspector on the command line."""
        return self._run("inspector/clients/launcher/build/index.js", ["--cli", *arguments], seconds)

    def _run(self, script: str, arguments: Sequence[str], seconds: float) -> Done:
        modules = FOLDER / "node_modules"
        done = subprocess.run(
            [modules / ".bin" / "node", modules / "@modelcontextprotocol" / script, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            cwd=FOLDER,
            env={**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "0"},
        )
        return Done(done.returncode, done.stdout, done.stderr)


def installed() -> Node:
    """The tools, installed now if they are not there. Raises `Unavailable`, with the reason."""
    if not _present():
        _install()
    return Node()


def _present() -> bool:
    for name, version in PACKAGES.items():
        manifest = FOLDER / "node_modules" / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text())["version"] != version:
            return False
    # The package unpacks the program in a script of its own, which may have failed.
    return (FOLDER / "node_modules" / ".bin" / "node").exists()


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "package.json").write_text(json.dumps({"private": True, "dependencies": PACKAGES}))
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode and (reason := _NO_NETWORK.search(done.stderr)):
        raise Unavailable(f"npm reaches no registry ({reason.group()})")
    if done.returncode or not _present():
        raise RuntimeError(f"npm install failed ({done.returncode}):\n{done.stdout}\n{done.stderr}")
