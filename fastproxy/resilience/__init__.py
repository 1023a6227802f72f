"""What happens when an attempt fails: retry, fallback, circuit breaker, deadline."""
