"""What all slaves together hold: the replicated offset."""

from ipaddress import ip_address


def slave_identity(peer_ip: str, local_ip: str, connection: int) -> str:
    """Return the name under which a connection's acknowledgements count.

    Two connections from one other host are one slave: a broken connection may linger beside its successor, and one copy
    must not count as two. On the master's own host slaves share an address, so there each connection is a slave.
    """
    if peer_ip == local_ip or ip_address(peer_ip.partition("%")[0]).is_loopback:
        return f"connection {connection}"
    return peer_ip


class AckTable:
    """The acknowledgements of all connected slaves, and what follows from them.

    Java's `store/ha/GroupTransferService` counts connections; this counts slaves.
    """

    def __init__(self, in_sync_replicas: int) -> None:
        self._slaves_needed = in_sync_replicas - 1
        self._slave_of: dict[int, str] = {}
        self._acked: dict[int, int] = {}
        self._replicated = 0

    def join(self, connection: int, slave: str) -> None:
        """Add a connection of `slave` (see `slave_identity`) that holds nothing yet."""
        self._slave_of[connection] = slave
        self._acked[connection] = 0

    def acknowledge(self, connection: int, log_offset: int) -> None:
        """The slave behind `connection` holds all below `log_offset`."""
        self._acked[connection] = log_offset
        self._advance()

    def leave(self, connection: int) -> None:
        """Forget a connection. What it helped to replicate stays replicated."""
        del self._slave_of[connection]
        del self._acked[connection]

    def replicated_offset(self, end: int) -> int:
        """Return the log offset below which `in_sync_replicas` brokers, this master included, hold the log.

        `end` is the end of the master's own log: the answer when no slave is needed, and never exceeded.
        It never goes back while the log doesn't.
        """
        return min(self._replicated, end) if self._slaves_needed > 0 else end

    def in_sync(self, end: int, max_gap: int) -> int:
        """Return the number of replicas, this master included, that lag by less than `max_gap` bytes behind `end`."""
        return 1 + sum(end - acked < max_gap for acked in self._by_slave().values())

    def _advance(self) -> None:
        if self._slaves_needed <= 0:
            return
        held = sorted(self._by_slave().values(), reverse=True)
        if len(held) >= self._slaves_needed:
            self._replicated = max(self._replicated, held[self._slaves_needed - 1])

    def _by_slave(self) -> dict[str, int]:
        """What each slave holds: the best of what its connections have told."""
        held: dict[str, int] = {}
        for connection, slave in self._slave_of.items():
            held[slave] = max(held.get(slave, 0), self._acked[connection])
        return held
