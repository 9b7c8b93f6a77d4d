"""The lake over HTTP: MCP at `/mcp` and REST beside it, in one application with one door."""
