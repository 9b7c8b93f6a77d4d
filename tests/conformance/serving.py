"""Our server over HTTP on a free loopback port; with `--fixtures`, what the suite looks for is registered on it."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from mcp.shared.exceptions import MCPDeprecationWarning

from lakehouse_tools import build_server
from mcp_lakehouse import Lakehouse
from mcp_lakehouse.gateway.doors import Door
from mcp_lakehouse.gateway.http import serve
from tests.conformance import fixtures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake", type=Path)
    parser.add_argument("--fixtures", action="store_true")
    options = parser.parse_args()
    # The suite still asks for what the protocol has deprecated.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    with Lakehouse.open(options.lake, allow=[options.lake.parent]) as lake:
        server = build_server(lake)
        if options.fixtures:
            fixtures.register(server)
        serve([Door(lake, server, None)], "127.0.0.1", 0)


if __name__ == "__main__":
    main()
