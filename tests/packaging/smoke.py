"""What must work where only the wheel and its pinned run-time packages are installed.

Standard library only: run by the interpreter of that environment, from a folder that is no checkout.
Prints one line for each thing that held; the first that does not ends it with a traceback.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import pkgutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("mcp_lakehouse", "lakehouse_tools", "lakehouse_prompts")
DEVELOPMENT = ("pytest", "hypothesis", "moto", "mypy", "ruff", "hatchling", "langfuse")
OF_AN_EXTRA = ("mcp_lakehouse.llm.minilm_graph", "mcp_lakehouse.tracing.langfuse")
COMMAND = Path(sys.executable).parent / "mcp-lakehouse"


def run(*arguments: str) -> str:
    done = subprocess.run(
        [str(COMMAND), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def no_development_package_is_here() -> None:
    installed = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
    assert not installed & set(DEVELOPMENT), installed


def every_module_imports_from_the_wheel() -> None:
    for package in PACKAGES:
        root = importlib.import_module(package)
        assert all(Path(sys.prefix) in Path(place).parents for place in root.__path__), root.__path__
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith("__main__") and module.name not in OF_AN_EXTRA:
                importlib.import_module(module.name)


def prompts_and_type_markers_are_data_of_the_wheel() -> None:
    prompts = [entry.name for entry in importlib.resources.files("lakehouse_prompts").iterdir()]
    assert any(name.endswith(".md") for name in prompts), prompts
    for package in PACKAGES:
        assert importlib.resources.files(package).joinpath("py.typed").is_file(), package


def help_and_version_answer() -> None:
    assert "serve" in run("--help")
    assert importlib.metadata.version("mcp-lakehouse") in run("--version")


def a_missing_extra_names_itself() -> None:
    from mcp_lakehouse.errors import InvalidInput
    from mcp_lakehouse.settings import read_settings
    from mcp_lakehouse.trace import configure

    hint = None
    try:
        configure(read_settings({"trace": "otlp"}, {}), version="0")
    except InvalidInput as error:
        hint = error.hint
    assert hint == 'pip install "mcp-lakehouse[otlp]"', hint


def the_demo_runs() -> None:
    assert run("demo").strip()


def main() -> None:
    for check in (
        no_development_package_is_here,
        every_module_imports_from_the_wheel,
        prompts_and_type_markers_are_data_of_the_wheel,
        help_and_version_answer,
        a_missing_extra_names_itself,
        the_demo_runs,
    ):
        check()
        print(check.__name__.replace("_", " "), flush=True)


if __name__ == "__main__":
    main()
