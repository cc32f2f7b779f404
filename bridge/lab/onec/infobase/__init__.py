"""Infobase."""
