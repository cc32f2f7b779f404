"""Proper names: each module speaks one foreign language."""
