"""Composes a Russian company: names, phones as people type them, users and partners."""
