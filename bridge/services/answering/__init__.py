"""Answers to the PBX's routing questions, and their records."""
