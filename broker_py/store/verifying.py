"""Whether what was read is what was stored: nothing else is served.

What this process wrote, and memory still has, is as sound as its memory. All that is older may come from a disk, so its
checksum and its place are compared. A unit that points at another record, or at none, is put right from the log, which
has the message between its neighbours. A record that is damaged is reported and left out.
"""

import logging
from collections.abc import Iterator
from struct import Struct
from typing import Final

from broker_py.message.record import (
    CLAIM_BYTES,
    MIN_RECORD_BYTES,
    DispatchView,
    check_record,
    claimed_size,
    has_lost_sector,
    is_message,
    read_dispatch,
    record_fault,
)
from broker_py.store.commit_log import CommitLog
from broker_py.store.consume_queue import BLANK_SIZE, ConsumeQueue
from broker_py.store.damage import Damage, DamageLog, damage_at, next_record
from broker_py.store.queue_table import ConsumeQueueTable

_PLACE: Final = Struct(">i8xi4xq")  # size, (magic, crc), queue id, (flag), queue offset
_WINDOW_BYTES: Final = 1 << 20
_NEIGHBOURS: Final = 1024
"""So many units on either side are asked where a wrong one's message may lie: more than a page holds."""
_SEARCHED_BYTES: Final = 8 << 20
"""So much log is searched for it: a fifth of a second of the event loop at worst, once for each place."""
_HOPELESS: Final = 100_000
_log = logging.getLogger(__name__)

Place = tuple[int, int, int]
"""Log offset, size and queue offset of a message, as a unit has them."""


class Verifier:
    """Judges records that were read for a queue.

    From log offset `sound_from` on this process wrote all; `near_bytes` of the log's end are in memory.
    """

    def __init__(self, log: CommitLog, queues: ConsumeQueueTable, damage: DamageLog) -> None:
        self._log = log
        self._queues = queues
        self._damage = damage
        self._hopeless: set[tuple[str, int, int]] = set()
        self.sound_from = 0
        self.near_bytes = 0

    def is_sound(self, data: bytes, position: int, queue: ConsumeQueue, place: Place) -> bool:
        """True when `data` has at `position` the message that a unit of `queue` is of."""
        log_offset, size, queue_offset = place
        if position + size > len(data) or size < MIN_RECORD_BYTES:
            return False
        if _PLACE.unpack_from(data, position) != (size, queue.queue_id, queue_offset):
            return False
        if log_offset >= self.sound_from and log_offset >= self._log.written - self.near_bytes:
            return True
        return is_message(data, position, size, log_offset, queue.topic) and not has_lost_sector(
            data, position, size, log_offset - self._log.segment_start(log_offset)
        )

    def record(self, log_offset: int) -> bytes | None:
        """Return the message at `log_offset`, or None when none begins there that is sound. OSError."""
        data = self._log.record_at(log_offset)
        if data is None:
            return None
        found = damage_at(self._log, log_offset, True)
        if found is not None:
            self._damage.report(found)
            return None
        return data

    def instead(self, queue: ConsumeQueue, place: Place) -> bytes | None:
        """Return the message that is not where its unit says, or None when it is damaged. OSError."""
        log_offset, size, queue_offset = place
        whose = (queue.topic, queue.queue_id, queue_offset)
        found = damage_at(self._log, log_offset, True) if 0 <= log_offset < self._log.written else None
        if found is not None and (found.topic, found.queue_id, found.queue_offset) == whose:
            self._damage.report(found)
            return None
        if whose not in self._hopeless:
            data = self._mend(queue, queue_offset)
            if data is not None:
                return data
            if len(self._hopeless) < _HOPELESS:
                self._hopeless.add(whose)
        fault = found.fault if found is not None else "another record is there, and its own is not found in the log"
        self._damage.report(Damage(log_offset, size, fault, *whose))
        return None

    def _mend(self, queue: ConsumeQueue, queue_offset: int) -> bytes | None:
        """Put units around `queue_offset` right from the log; return that one's message if there is one."""
        low = self._sound_neighbour(queue, range(queue_offset - 1, queue_offset - _NEIGHBOURS, -1))
        high = self._sound_neighbour(queue, range(queue_offset + 1, queue_offset + _NEIGHBOURS))
        start = low[0] + low[1] if low is not None else self._log.min_offset
        end = high[0] if high is not None else self._log.written
        if end - start > _SEARCHED_BYTES:
            _log.error(
                "message %d of %s lies somewhere between log offset %d and %d, too much to search: to have the queue "
                "filled again, stop the broker, remove the directory and start it",
                queue_offset,
                queue.directory,
                start,
                end,
            )
            return None
        message = None
        for view in self._records(start, end):
            if view.topic != queue.topic or view.queue_id != queue.queue_id:
                continue
            self._put_right(queue, view)
            if view.queue_offset == queue_offset:
                message = self._log.read(view.log_offset, view.size)
        return message

    def _put_right(self, queue: ConsumeQueue, view: DispatchView) -> None:
        unit = queue.unit(view.queue_offset) if view.queue_offset >= queue.min_offset else None
        if unit is None or unit[:2] == (view.log_offset, view.size):
            return
        try:
            queue.replace(view.queue_offset, view.log_offset, view.size, view.tags_code)
        except OSError as error:
            _log.warning("unit %d of %s can't be put right: %s", view.queue_offset, queue.directory, error)
            return
        self._queues.mark(queue)
        _log.warning(
            "unit %d of %s pointed at log offset %d, where its message is not: put right, it is at %d",
            view.queue_offset,
            queue.directory,
            unit[0],
            view.log_offset,
        )

    def _sound_neighbour(self, queue: ConsumeQueue, offsets: range) -> tuple[int, int] | None:
        """Return (log offset, size) of the first of these units that points at its message."""
        for queue_offset in offsets:
            unit = queue.unit(queue_offset) if queue.min_offset <= queue_offset < queue.max_offset else None
            if unit is None or not self._log.min_offset <= unit[0] < self._log.written or unit[1] == BLANK_SIZE:
                continue
            claimed = claimed_size(self._log.read(unit[0], CLAIM_BYTES))
            if claimed != unit[1]:
                continue
            data = self._log.read(unit[0], claimed)
            if self.is_sound(data, 0, queue, (unit[0], claimed, queue_offset)):
                return unit[0], claimed
        return None

    def _records(self, position: int, end: int) -> Iterator[DispatchView]:
        """Yield what the sound records between two log offsets are."""
        log = self._log
        while position < end:
            claimed = claimed_size(log.read(position, CLAIM_BYTES))
            window = log.read(position, max(claimed, min(_WINDOW_BYTES, end - position)))
            start = 0
            while (size := check_record(window, start, False)) > 0:
                if record_fault(window, start, position + start, True) is None:
                    yield read_dispatch(window, start)
                start += size
            if size < 0 and -size == log.segment_end(position) - position - start:
                position += start - size
            elif start:
                position += start
            else:
                position = next_record(log, position + 1, end) or end
