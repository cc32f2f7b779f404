"""What the core needs from outside: small Protocols, read as contracts.

Everywhere: times are aware UTC unless a name says otherwise; `Ref` is lower case; errors are those
of `bridge.errors` only. Each file holds one neighbour of the core and the values exchanged with it;
whoever needs one imports it from here.
"""
