"""When messages were stored, and which one at a time."""

from broker_py.store.commit_log import CommitLog
from broker_py.store.consume_queue import ConsumeQueue


def stored_ms(log: CommitLog, queue: ConsumeQueue, queue_offset: int) -> int:
    """Return the store time of one message of a queue, 0 when it is not there."""
    unit = queue.unit(queue_offset)
    return log.stored_ms_at(unit[0]) if unit is not None else 0


def offset_by_time(log: CommitLog, queue: ConsumeQueue, ms: int) -> int:
    """Return the queue offset of the message stored nearest to `ms`, the earlier one of two; the first without any."""
    if queue.max_offset == queue.min_offset:
        return queue.min_offset
    after = queue.search(lambda log_offset, _: log.stored_ms_at(log_offset) < ms)
    if after == queue.max_offset:
        return after - 1
    if after == queue.min_offset:
        return after
    gap_after = stored_ms(log, queue, after) - ms
    gap_before = ms - stored_ms(log, queue, after - 1)
    return after if gap_after < gap_before else after - 1
