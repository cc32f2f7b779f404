"""All connections at once: how many, from where, which may be closed to make place, which are late.

A connection that waits for its client (for a head, or for a body) is closed when another needs its
place, the oldest first; one with an answer under way never. So idle connections take no place from
others.
"""

import ipaddress
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from bridge.web.connections.limits import ConnectionLimits

_log = logging.getLogger(__name__)

#: How long an address counts as the PBX's after a question with the right secret.
_KNOWN_S: Final = 24 * 3600.0
_MOST_KNOWN: Final = 256

#: What repeats is logged this often at most.
_LOG_EVERY_S: Final = 60.0

_V6_NETWORK: Final = 64


class Connection(Protocol):
    """What the registry knows of a connection; *address* is empty where there is none (a pipe)."""

    address: str
    deadline: float

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for its client: no answer is under way."""
        ...

    def evict(self) -> None:
        """Close: another one needs the place."""
        ...

    def time_out(self) -> None:
        """Close: the deadline has passed."""
        ...


class ConnectionRegistry:
    """Counts connections and decides about new ones. Called on the event loop's thread only."""

    def __init__(self, limits: ConnectionLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.clock = clock
        self._open: dict[Connection, str] = {}  # with its network; empty: exempt
        self._of_network: Counter[str] = Counter()
        self._known: OrderedDict[str, float] = OrderedDict()
        self._logged: dict[str, float] = {}

    @property
    def open_count(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    # ------------------------------------------------------------ one connection
    def accept(self, connection: Connection) -> bool:
        """Add *connection*, closing a waiting one where there is no place; False: refused."""
        limits = self.limits
        network = self._network(connection.address)
        known = self.is_pbx_address(connection.address)
        if network and not known and self._of_network[network] >= limits.max_of_network:
            self.log_sparingly("network_full", connection.address)
            if not self._evict(lambda other: self._open[other] == network):
                return False
        most = limits.max_connections if known else limits.max_connections - limits.reserved_for_pbx
        if len(self._open) >= most:
            self.log_sparingly("connections_full", connection.address)
            made = self._evict(lambda other: not self.is_pbx_address(other.address))
            if not made and not (known and self._evict(lambda _: True)):
                return False
        self._open[connection] = network
        self._of_network[network] += 1
        return True

    def remove(self, connection: Connection) -> None:
        """Remove *connection*."""
        network = self._open.pop(connection, None)
        if network is None:
            return
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]

    # ------------------------------------------------------------ known addresses
    def add_pbx_address(self, address: str) -> None:
        """Record that a question with the right secret came from *address*."""
        if self._known.get(address, 0.0) < self.clock():
            self._known.pop(address, None)  # moved to the end of the order
        self._known[address] = self.clock() + _KNOWN_S
        while len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def is_pbx_address(self, address: str) -> bool:
        """Return whether *address* asked a question with the right secret lately."""
        return self._known.get(address, 0.0) > self.clock()

    # ------------------------------------------------------------ all connections
    def close_overdue(self) -> None:
        """Close what is late; called every second or so."""
        now = self.clock()
        for connection in [one for one in self._open if one.deadline < now]:
            connection.time_out()

    def log_sparingly(self, kind: str, address: str, reason: str = "") -> None:
        """Log what happened to a connection: the first of its kind, then one a minute at most."""
        now = self.clock()
        last = self._logged.get(kind)
        if last is None or now - last >= _LOG_EVERY_S:
            self._logged[kind] = now
            extra = {"client": address, "open": self.open_count}
            _log.warning(kind, extra=extra | ({"reason": reason} if reason else {}))

    def _evict(self, may_go: Callable[[Connection], bool]) -> bool:
        victim = next((one for one in self._open if one.is_waiting and may_go(one)), None)
        if victim is None:
            return False
        self.remove(victim)
        victim.evict()
        return True

    def _network(self, text: str) -> str:
        """Return the network whose connections are counted together; empty: they are not."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address):
            mapped = address.ipv4_mapped
            if mapped is None and not address.is_loopback:
                exempt = any(address in network for network in self.limits.proxies)
                whole = ipaddress.ip_network((address, _V6_NETWORK), strict=False)
                return "" if exempt else str(whole)
            address = mapped or address
        # A proxy on this machine needs no setting, and a stranger is not on it.
        if address.is_loopback or any(address in network for network in self.limits.proxies):
            return ""
        return str(address)
