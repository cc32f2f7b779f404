"""Nouns: pure values and decisions. No I/O, no clock, no randomness, no framework."""
