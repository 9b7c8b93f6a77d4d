"""The client shown in docs/flight.md does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mcp_lakehouse import Lakehouse
from mcp_lakehouse.gateway.access import by_token
from mcp_lakehouse.gateway.flight import serving
from mcp_lakehouse.settings import read_settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "flight.md"
RIDES = "city,rides\nBerlin,1210\nBerlin,1380\nPorto,640\n"


def test_the_client_of_the_document_runs_as_it_stands(tmp_path: Path) -> None:
    (client,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(client.splitlines()) <= 12
    (tmp_path / "rides.csv").write_text(RIDES)
    settings = read_settings({"lake": str(tmp_path / "lake"), "allow": str(tmp_path), "embedder": "wordllama"})
    with Lakehouse.open(settings=settings) as lake:
        lake.ingest(tmp_path / "rides.csv")
        with serving(by_token(("TOKEN", lake)), "127.0.0.1", 0, token="TOKEN") as server:
            done = subprocess.run(
                [sys.executable, "-"],
                input=client.replace(":3101", f":{server.port}"),
                capture_output=True,
                text=True,
                timeout=60,
            )
    assert (done.returncode, done.stdout) == (0, "2\n[(3230,)]\n"), done.stderr
