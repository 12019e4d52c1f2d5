"""The training corpus and what is trained on it."""
