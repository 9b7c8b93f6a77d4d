"""The commands behind `mcp-lakehouse`: each takes the parsed arguments and what it needs, and returns its exit code."""
