"""What keeps the ledger whole: its file watched and mended, salvage, the rescue file."""
