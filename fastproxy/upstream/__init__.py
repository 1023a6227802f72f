"""The way out: HTTP to the providers, and the credentials it needs."""
