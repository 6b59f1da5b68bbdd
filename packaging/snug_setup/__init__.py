"""The set-up program: a virtual environment from hash-checked lock files, and an engine built for this machine."""
