"""Acks, and invisible times that are changed (broker processor/AckMessageProcessor, ChangeInvisibleTimeProcessor).

Differs from Java, which says that a message is acknowledged also where that could not be written.
"""

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.own_messages import Done
from broker_py.broker.pop.checkpoints import Ack, Checkpoint
from broker_py.broker.pop.extra_info import ExtraInfo
from broker_py.broker.pop.order import OrderTable
from broker_py.broker.pop.revive_log import ReviveLog
from broker_py.broker.pop.waiting import WaitingPops
from broker_py.errors import RequestRefused, StoreError
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode


class Acker:
    """Settles popped messages."""

    def __init__(
        self,
        offsets: ConsumerOffsetTable,
        order: OrderTable,
        revive_log: ReviveLog,
        waiting: WaitingPops,
        clock: Clock,
    ) -> None:
        self._offsets = offsets
        self._order = order
        self._log = revive_log
        self._waiting = waiting
        self._clock = clock

    def ack(self, group: str, topic: str, queue_id: int, queue_offset: int, info: ExtraInfo, done: Done) -> None:
        """Have a message not come back; `done` is called when that is safe. RequestRefused, StoreError: it isn't."""
        if info.in_order:
            self._ack_in_order(group, topic, queue_id, queue_offset, info)
            done(None)
            return
        self._require_queue(info)
        self._put_ack(group, topic, queue_id, queue_offset, info, done)

    def _put_ack(self, group: str, topic: str, queue_id: int, queue_offset: int, info: ExtraInfo, done: Done) -> None:
        key = topic, group, queue_id, info.start_offset, info.pop_time
        ack = Ack(key, queue_offset, info.broker_name)
        self._log.put_ack(ack, info.revive_queue, info.pop_time + info.invisible_time, done)

    def _require_queue(self, info: ExtraInfo) -> None:
        if not 0 <= info.revive_queue < self._log.queues:
            raise RequestRefused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"the field extraInfo says revive queue {info.revive_queue}, which is none",
            )

    def _ack_in_order(self, group: str, topic: str, queue_id: int, queue_offset: int, info: ExtraInfo) -> None:
        if queue_offset < self._offsets.offset(group, topic, queue_id):
            return
        try:
            next_offset = self._order.ack(topic, group, queue_id, queue_offset, info.pop_time)
        except ValueError:
            raise RequestRefused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"offset is illegal, key:{topic}@{group}@{queue_id}, commit:{queue_offset}: no such message is out",
            ) from None
        if next_offset is None:
            return
        self._offsets.commit(group, topic, queue_id, next_offset)
        if not self._order.is_blocked(topic, group, queue_id):
            self._waiting.notify(topic, group, queue_id)

    def change(
        self,
        group: str,
        topic: str,
        queue_id: int,
        queue_offset: int,
        info: ExtraInfo,
        invisible_time: int,
        done: Done,
    ) -> ExtraInfo | None:
        """Have a message come back so many milliseconds from now; return its new extra info.

        `done` is called when that is safe. None: it is acknowledged already. RequestRefused, StoreError.
        """
        now_ms = self._clock.now_ms()
        if info.in_order:
            changed = self._change_in_order(group, topic, queue_id, queue_offset, info, now_ms + invisible_time)
            done(None)
            return changed
        self._require_queue(info)
        # The check point of now must be another than that of the pop, also when the clock was set back.
        pop_time = max(now_ms, info.pop_time + 1)
        again = Checkpoint(
            topic, group, queue_id, queue_offset, pop_time, invisible_time, [queue_offset], info.broker_name
        )
        failed: list[StoreError] = []

        def noted(error: StoreError | None) -> None:
            if error is not None:
                failed.append(error)

        def acked(error: StoreError | None) -> None:
            done(failed[0] if failed else error)

        self._log.put(again, info.revive_queue, noted)
        try:
            self._put_ack(group, topic, queue_id, queue_offset, info, acked)
        except StoreError as error:
            done(error)
        return ExtraInfo(queue_offset, pop_time, invisible_time, info.revive_queue, info.broker_name)

    def _change_in_order(
        self, group: str, topic: str, queue_id: int, queue_offset: int, info: ExtraInfo, visible_ms: int
    ) -> ExtraInfo | None:
        if queue_offset < self._offsets.offset(group, topic, queue_id):
            return None
        out = self._order.change(topic, group, queue_id, queue_offset, info.pop_time, visible_ms)
        if out is not None:
            self._waiting.free_at(topic, group, queue_id, max(out.free_ms(), self._clock.now_ms()))
        return ExtraInfo(
            info.start_offset, info.pop_time, visible_ms - info.pop_time, info.revive_queue, info.broker_name
        )
