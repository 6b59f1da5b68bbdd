"""Images and recordings: checked before native code sees them, and read through the model's projector."""
