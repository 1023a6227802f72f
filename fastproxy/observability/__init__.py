"""What is told about requests: log lines, metrics, traces. Never their content."""
