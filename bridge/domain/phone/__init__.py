"""Telephone numbers: how they are typed, sent, read into E.164 and shown."""
