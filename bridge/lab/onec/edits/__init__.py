"""What the users of 1C change in the infobase, past the OData interface."""
