"""Profiles: what a reader may see and do, and the lake as such a reader sees it."""
