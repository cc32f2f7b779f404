"""What the core needs from outside, as Protocols of at most eight methods, read as contracts.

Everywhere: moments are aware UTC unless a name has it otherwise; `Ref` is lower case; errors are
those of `bridge.errors` only. Each module holds one neighbour of the core and the values exchanged
with it.
"""
