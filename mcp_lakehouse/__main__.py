"""`python -m mcp_lakehouse` is the command `mcp-lakehouse`."""

import sys

from mcp_lakehouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
