"""The standard OData interface of 1C as it was measured: addresses, queries, writes, replies."""
