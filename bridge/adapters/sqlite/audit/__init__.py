"""audit.db and what belongs to it: who did what, valid personal links, ended sessions."""
