"""Recorded scenarios of calls: how a file is read, and how it is played to a bridge."""
