"""Verbs: gather, decide, apply. Each is a few lines over the ports."""
