"""Plans without weights: what a model would need, on devices that need not be there."""
