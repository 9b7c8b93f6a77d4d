"""Sources are found, read, typed and written as staged Parquet; committing them is the table room's."""
