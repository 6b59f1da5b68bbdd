"""How a model comes into memory, exactly as its plan says."""
