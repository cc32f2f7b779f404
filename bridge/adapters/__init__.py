"""Implementations of the ports: one for each neighbour of the core."""
