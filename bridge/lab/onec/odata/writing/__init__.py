"""Writing through the interface: values taken in, objects, records, the configuration's code."""
