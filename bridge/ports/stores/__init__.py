"""What the core keeps on disk, as Protocols: one for each kind of use."""
