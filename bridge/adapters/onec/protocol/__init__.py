"""1C's standard OData interface over HTTP: one client, its errors, sessions and metadata."""
