"""Real processes for tests and benchmarks: a programmable mock upstream, and the proxy, on loopback."""
