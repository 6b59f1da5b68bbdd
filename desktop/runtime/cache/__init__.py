"""Where conversations wait that are not in the KV cache: in RAM, then on the disk."""
