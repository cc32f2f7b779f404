"""The standard OData interface of 1C as the lab speaks it: addresses, queries, writes, shapes."""
