"""Spans on their way out: which attributes may leave, and the exporters that `trace` asks for."""
