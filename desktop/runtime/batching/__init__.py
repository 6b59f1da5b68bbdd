"""Many requests in one context: who takes part in a step, and what each makes of it."""
