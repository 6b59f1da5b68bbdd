"""A bounded reader of GGUF files."""
