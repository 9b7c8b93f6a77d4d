"""SQL for readers: guard (what may run), engine (the locked worker process), values and results."""
