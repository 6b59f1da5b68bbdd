"""Where other programs keep their models, read in place: one module each. Nothing there is ever written."""
