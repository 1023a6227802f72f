"""What makes the single-file executable; it is no part of the package, and nothing of it runs elsewhere."""
