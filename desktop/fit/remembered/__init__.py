"""What this machine taught: runs, outcomes of loads, what drivers took."""
