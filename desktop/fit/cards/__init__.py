"""Graphics cards, those that are not there too, and what they would change."""
