"""What is kept, for how long, and how it goes: vacuum, dropped datasets, pins, forgetting."""
