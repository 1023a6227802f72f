"""The Gemini wire format (Vertex AI generateContent): requests out, candidates in."""
