"""The models that are on this disk."""
