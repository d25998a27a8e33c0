"""Training of networks: steps, schedules and batch sizes."""
