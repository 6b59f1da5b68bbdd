"""Reusable widgets; they know no Services and no page."""
