"""Routing: who should answer a call, and why."""
