"""The surfaces: one thin handler each, from an HTTP request to the pipeline and back."""
