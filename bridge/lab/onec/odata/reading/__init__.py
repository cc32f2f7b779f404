"""Reading through the interface: the filter's grammar and types, projection, order, pages."""
