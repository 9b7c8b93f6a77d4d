"""Writes that a bucket refused: kept whole in another one, and finished later, once."""
