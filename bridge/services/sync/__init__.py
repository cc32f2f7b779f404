"""Sync of the directory with 1C: the pull, its guard, its report, and its process."""
