"""Which models are recommended for a machine, and why."""
