"""Benchmarks: differences and ratios to a bare relay and to the upstream itself, in one interleaved run."""
