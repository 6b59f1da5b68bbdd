"""Fetching a model so that it cannot go wrong."""
