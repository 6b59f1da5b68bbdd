"""The search for the best way to run one model on the devices at hand."""
