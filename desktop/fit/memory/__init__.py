"""What a model's layers take and where they go: arithmetic, the same as libllama's."""
