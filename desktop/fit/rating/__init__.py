"""How good a model is: what its quantization costs, what it is able to do."""
