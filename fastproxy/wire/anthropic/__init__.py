"""The Anthropic Messages wire format: requests out, content blocks in."""
