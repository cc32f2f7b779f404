"""The core: pure functions and values, without I/O, clock, randomness, logging or a framework."""
