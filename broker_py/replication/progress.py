"""How far one slave has come, as its master sees it.

first report ──► start offset ──► sent grows with each frame, acked follows with each report
            └──► SlaveRefused: the slave can't go on from where it is
"""

from broker_py.errors import BrokerPyError


class SlaveRefused(BrokerPyError):
    """This slave can't follow this log: close its connection. The text says how the two differ."""


def start_offset(reported: int, min_offset: int, end: int) -> int:
    """Return the log offset to send from after a first report; SlaveRefused when there is none.

    An empty slave (0) gets the whole log, from the first segment kept. Java sends it only the last segment, after which
    consumers that fall back to the slave find the older messages gone; like Java's, ours starts at a segment's start,
    which a Java slave needs.
    """
    if reported == 0:
        return min_offset
    if reported > end:
        raise SlaveRefused(
            f"the slave is ahead of its master: it holds {reported} bytes of log, the master {end}; "
            "stop it and move its store away, so that it copies again"
        )
    if reported < min_offset:
        raise SlaveRefused(
            f"the slave wants to go on at {reported}, but the master's log begins at {min_offset}, older files being "
            "deleted; stop it and move its store away, so that it copies again"
        )
    return reported


class SlaveProgress:
    """One connection: `sent` is the log offset to send next, `acked` the end of what the slave holds.

    `min_offset <= sent <= end of the log` and `acked <= sent`, once `started`.
    """

    __slots__ = ("acked", "sent", "started")

    def __init__(self) -> None:
        self.started = False
        self.sent = 0
        self.acked = 0

    def report(self, log_offset: int, min_offset: int, end: int) -> None:
        """Take a report; the first one starts the transfer. SlaveRefused when it can't be true of this log."""
        if not self.started:
            self.sent = start_offset(log_offset, min_offset, end)
            self.started = True
        elif log_offset > self.sent:
            raise SlaveRefused(
                f"the slave acknowledges {log_offset}, but was sent the log up to {self.sent} only: "
                "something else writes to its store"
            )
        elif log_offset < self.acked:
            raise SlaveRefused(f"the slave went back from {self.acked} to {log_offset}: its log was cut")
        self.acked = log_offset

    def advance(self, size: int) -> None:
        """Note that the next `size` bytes of log were sent."""
        self.sent += size
