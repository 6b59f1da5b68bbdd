"""What the engine computes on: devices of ggml, workers of other processes, threads."""
