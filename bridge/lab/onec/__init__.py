"""A simulated publication of 1C UT 11: the infobase, its OData interface, faults and user edits."""
