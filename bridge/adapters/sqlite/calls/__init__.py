"""ledger.db: calls, outbox entries, PBX events, missed calls; written by one process."""
