"""The child's side of inference: the only importer of llama_cpp."""
