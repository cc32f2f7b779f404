"""The desk: the manager's page, where a card appears the moment the telephone rings."""
