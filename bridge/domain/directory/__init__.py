"""The directory: objects of 1C, caller cards, what changed since the last pull, and its guards."""
