"""directory.db: what was pulled from 1C, written by the sync process, read by the service."""
