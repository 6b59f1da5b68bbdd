"""What fits this machine, how fast it would be, and what to recommend."""
