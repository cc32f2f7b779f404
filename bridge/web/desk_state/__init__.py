"""What desks show now, in memory: calls and missed calls, kept up to date by events."""
