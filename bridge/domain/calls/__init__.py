"""Calls: their events, the state derived from them, orders, and questions matched with events."""
