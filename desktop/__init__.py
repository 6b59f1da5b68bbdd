"""Snug: finds the best language model that fits this machine, and chats with it offline."""

__version__ = "0.1.0"
