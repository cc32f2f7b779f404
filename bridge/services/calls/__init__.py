"""Calls after they were answered: their events, missed calls, lost ends and deletion by age."""
