"""Pages of our own, as files: HTML, CSS and JavaScript without a build step or anything from elsewhere."""
