"""OpenAI wire formats: requests in, chunks and completions out."""
