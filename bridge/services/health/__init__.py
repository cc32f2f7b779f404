"""Watches: what is wrong with the service right now, and the alarms that follow from it."""
