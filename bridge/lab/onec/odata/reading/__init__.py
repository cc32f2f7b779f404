"""Reading through the interface: the filter's grammar and rules, projection, order, pages."""
