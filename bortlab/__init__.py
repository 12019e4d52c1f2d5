"""bortlab."""
