"""From a conversation to the text the model reads."""
