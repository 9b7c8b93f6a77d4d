"""Names to datasets at a version; what the lake knows of itself."""
