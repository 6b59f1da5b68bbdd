"""Measurements, one command each: `python -m benchmarks.decode`. Each prints ratios of two things in one run."""
