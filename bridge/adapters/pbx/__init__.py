"""PBXs, one package each: their questions, events and APIs in neutral form."""
