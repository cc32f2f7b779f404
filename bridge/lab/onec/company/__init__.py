"""Composes a Russian company: its words, its phones as people type them, staff and partners."""
