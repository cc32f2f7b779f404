"""The laboratory: simulators of 1C and of PBXs, as mean as the real ones."""
