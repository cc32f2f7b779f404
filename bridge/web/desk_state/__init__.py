"""Desk state."""
