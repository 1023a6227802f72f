"""fastproxy: one small process between any OpenAI-compatible client and the models."""

__version__ = "0.1.0"
