"""The demonstration: a simulated 1C, a simulated Sipuni, and the real bridge between them.

The bridge runs as its users run it: the same command, in processes of its own, configured by
settings alone. What it did is read on the 1C side only.
"""
