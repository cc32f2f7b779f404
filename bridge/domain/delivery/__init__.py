"""Delivery to 1C: outbox entries and their transitions, documents, missed calls, texts."""
