"""The Ollama wire format (native /api/chat): requests out, NDJSON lines in."""
