"""Delivery of outbox entries to 1C: documents, reminders, failures, circuit breakers."""
