"""Holds the guides to their word: every command and configuration in README.md and docs/ is tried."""
