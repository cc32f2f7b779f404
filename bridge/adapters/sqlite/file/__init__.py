"""One SQLite file: opening, transactions, documents as rows, damage, file rights."""
