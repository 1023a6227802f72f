"""What providers and clients speak: pure translation between bytes and values, no I/O."""
