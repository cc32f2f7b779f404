"""Writing through the interface: values of the body, objects and records, event handlers."""
