"""1C UT 11 over its standard OData interface; `schema` has its names."""
