"""How fast a model is: estimated, measured, corrected by runs."""
