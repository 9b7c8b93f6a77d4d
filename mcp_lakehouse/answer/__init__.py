"""Answers from the data: retrieve, quote, write where a model is set, and check every citation."""
