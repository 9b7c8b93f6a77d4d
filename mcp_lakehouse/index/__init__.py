"""Passages of text, found by keywords and by meaning."""
