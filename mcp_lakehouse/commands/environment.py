"""Checks of this installation: Python, packages, compiler."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mcp_lakehouse.commands.checks import Check

TESTED_PYTHONS = ((3, 11), (3, 13))
_SHOWN = ("duckdb", "deltalake", "mcp", "pyarrow")
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(;.*)?$")
_SPECIFIER = re.compile(r"\s*(>=|<)\s*([\d.]+(?:post\d+)?)\s*$")


def installation() -> Iterator[Check]:
    """Everything that does not depend on a lake."""
    yield python_check(sys.version_info[:2])
    yield packages_check()
    if importlib.util.find_spec("hnswlib") is None:
        yield compiler_check(_compiler(), Path(sysconfig.get_path("include"), "Python.h").exists(), sys.platform)


def python_check(version: tuple[int, int]) -> Check:
    """Whether this Python is one that the tests run on."""
    oldest, newest = TESTED_PYTHONS
    message = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if version < oldest:
        return Check("python", "fail", message, "install Python 3.11, 3.12 or 3.13")
    if version > newest:
        return Check("python", "warn", message, "newer than what is tested; 3.11 to 3.13 are")
    return Check("python", "ok", message)


def packages_check() -> Check:
    """Whether what we depend on is installed, in versions that we allow."""
    wanted = metadata.requires("mcp-lakehouse") or []
    wrong, shown = [], []
    for requirement in wanted:
        found = _REQUIREMENT.match(requirement)
        if found is None or found[3]:
            # What only an extra or another platform needs.
            continue
        name, specifier = found[1], found[2].strip()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is not installed")
            continue
        if not allowed(version, specifier):
            wrong.append(f"{name} is {version}, wanted {specifier}")
        elif name in _SHOWN:
            shown.append(f"{name} {version}")
    if wrong:
        hint = "install mcp-lakehouse again in an environment of its own; in a checkout: rm -r .venv, then make test"
        return Check("packages", "fail", "; ".join(wrong), hint)
    return Check("packages", "ok", ", ".join(shown))


def allowed(version: str, specifier: str) -> bool:
    """Whether a version satisfies a comma-separated list of `>=` and `<`, the only ones we use."""
    ours = _numbers(version)
    for part in filter(None, specifier.split(",")):
        found = _SPECIFIER.match(part)
        if found is None:
            return False
        bound = _numbers(found[2])
        if (ours < bound) if found[1] == ">=" else (ours >= bound):
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", version.split("+")[0])[:4]]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _compiler() -> str | None:
    named = os.environ.get("CXX")
    return next((path for name in (named, "c++", "g++", "clang++") if name and (path := shutil.which(name))), None)


def compiler_check(compiler: str | None, headers: bool, system: str) -> Check:
    """Whether a C++ extension can be built: hnswlib is one, and comes as source."""
    if compiler and headers:
        return Check("c++ compiler", "ok", compiler)
    if compiler:
        hint = "on Debian and Ubuntu: apt install python3-dev; on Fedora: dnf install python3-devel"
        return Check(
            "c++ compiler", "warn", "there, but Python.h is missing: hnswlib needs it when it is installed", hint
        )
    hint = (
        "xcode-select --install"
        if system == "darwin"
        else "on Debian and Ubuntu: apt install g++ python3-dev; on Fedora: dnf install gcc-c++ python3-devel"
    )
    return Check(
        "c++ compiler", "warn", "none found: hnswlib, the search index, is built with one when it is installed", hint
    )
