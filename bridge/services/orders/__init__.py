"""Outgoing calls: ordered by a click, by a script, or by a document written in UT."""
