"""What the core keeps on disk, as Protocols: each for those who need it."""
