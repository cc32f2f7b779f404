"""1C UT 11 over its standard OData interface: `odata` the protocol, `schema` its names."""
