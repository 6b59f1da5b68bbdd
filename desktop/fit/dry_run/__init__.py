"""What the engine itself says of a plan, before the download."""
