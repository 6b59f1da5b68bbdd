"""Conversations: values, storage, sessions."""
