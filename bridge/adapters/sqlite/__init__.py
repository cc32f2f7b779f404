"""The embedded store: TinyDB's documents on SQLite, the directory and the ledger in it."""
