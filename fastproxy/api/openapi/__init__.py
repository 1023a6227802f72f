"""Our surface, described: an OpenAPI 3.1 document made from the registered routes, and a page to read it."""
