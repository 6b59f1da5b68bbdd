"""How fast this machine computes what models are made of, measured without a model."""
