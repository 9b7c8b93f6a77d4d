"""The lake before a model: MCP tools, resources, prompts and completions.

`build_server(lake)` gives a configured `MCPServer`.
"""

from lakehouse_tools.server import build_server

__all__ = ["build_server"]
