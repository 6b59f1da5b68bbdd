"""The chat: conversations, messages, sliders and the memory gauge."""
