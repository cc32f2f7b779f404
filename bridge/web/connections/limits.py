"""The limits of a connection, as values."""

import ipaddress
from dataclasses import dataclass
from typing import Final

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Open files that are no connections of clients: stores, 1C, the PBX's API, the sync process.
_OTHER_FILES: Final = 192

#: More connections than this are no company's; each may hold about 200 kB for a moment.
_MOST: Final = 8192

#: However few files the system allows, some connections must be possible.
_FEWEST: Final = 32


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a client may send, and how long it may take.

    *max_connections* are open at once, some of them only for the addresses from which a routing
    question with the right secret came lately. *proxies* are exempt from the limit of one
    network: all their clients come from one address.
    """

    max_connections: int = 1024 - _OTHER_FILES
    proxies: tuple[Network, ...] = ()

    #: A question's query of 64 KB is still answered; nginx allows 32 KB in all.
    head_bytes: int = 128 * 1024
    headers: int = 100
    #: Every address of ours has a smaller limit of its own (hooks, forms, API).
    body_bytes: int = 1024 * 1024

    head_s: float = 10.0
    body_s: float = 30.0
    #: How long an answer may wait for a client that does not read it.
    drain_s: float = 30.0
    #: How long, and for how many bytes, a refused client is listened to so that it sees its answer:
    #: closing at once resets the connection and may take the answer away (nginx: lingering_close).
    linger_s: float = 2.0
    linger_bytes: int = 1024 * 1024

    @property
    def reserved_for_pbx(self) -> int:
        """Return how many places only a known PBX may take."""
        return max(8, self.max_connections // 8)

    @property
    def max_of_network(self) -> int:
        """Return how many connections one address (of IPv6: one /64) may hold."""
        return max(16, self.max_connections // 2)

    @property
    def max_streams(self) -> int:
        """Return how many connections may be streams of pages: they never wait to be closed."""
        return max(8, self.max_connections // 2)


def limits_for_open_files(open_files: int, proxies: tuple[Network, ...] = ()) -> ConnectionLimits:
    """Return the limits for a process that may have *open_files* open at once."""
    most = min(_MOST, max(_FEWEST, open_files - _OTHER_FILES))
    return ConnectionLimits(max_connections=most, proxies=proxies)
