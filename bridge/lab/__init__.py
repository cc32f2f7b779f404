"""The laboratory: simulators of 1C and of PBXs with the faults and oddities of the real ones."""
