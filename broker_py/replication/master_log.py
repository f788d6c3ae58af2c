"""What a master says of its log when it is asked before it is followed, and whether a slave's log can go on with it.

    master's log            ├──── min ═══════════════════════ end
    slave's log, fits       ├═══════════════════ end
    behind it       ├══ end                                             the bytes between are deleted
    ahead of it             ├══════════════════════════════════════ end  messages that the master never had, or lost

Java finds neither, and no other size of files: its slave waits for ever, or writes on at a wrong place.
"""

from dataclasses import dataclass

from broker_py.errors import StoreError

_COPY_AGAIN = "stop this broker and move its store away, so that it copies the master's"


class FollowRefused(StoreError):
    """This slave can't follow this master until a person has changed something; the text says what."""


@dataclass(frozen=True)
class MasterLog:
    """A master's log, in log offsets; `segment_size` is None when it doesn't say."""

    min_offset: int
    end: int
    segment_size: int | None = None


def ahead_of_master(own_end: int, master_end: int) -> FollowRefused:
    """Return what to say of a log that ends behind its master's."""
    return FollowRefused(
        f"this store is ahead of its master: it ends at {own_end}, the master's log at {master_end}; it holds messages "
        f"that the master doesn't. Make this broker the master if they are wanted, else {_COPY_AGAIN}"
    )


def check_fit(own_end: int, own_segment_size: int, master: MasterLog) -> None:
    """FollowRefused unless a log that ends at `own_end` (0: an empty one) may be a part of the master's."""
    if master.segment_size not in (None, own_segment_size):
        raise FollowRefused(
            f"mappedFileSizeCommitLog is {own_segment_size} here and {master.segment_size} on the master: "
            "stop this broker, give it the master's size and, if it has a store, move that away"
        )
    if own_end > master.end:
        raise ahead_of_master(own_end, master.end)
    if 0 < own_end <= master.min_offset:
        raise FollowRefused(
            f"this store ends at {own_end}, and the master's log begins at {master.min_offset}: the files between are "
            f"deleted there; {_COPY_AGAIN}"
        )
