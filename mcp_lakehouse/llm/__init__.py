"""Models: text to vectors (`Embedder`), and messages to a reply (`Chat`)."""

from mcp_lakehouse.llm.embedder import Embedder, default_spec, open_embedder

__all__ = ["Embedder", "default_spec", "open_embedder"]
