"""Onec."""
