"""Watches: what is wrong with the service at this moment, and the alarms that follow."""
