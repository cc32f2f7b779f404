"""Diagnosis: what is wrong, and what to do about it; nothing here writes."""
