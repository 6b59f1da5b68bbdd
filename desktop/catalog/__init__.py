"""What could be run: the curated catalog (models.json) and the Hugging Face Hub."""
