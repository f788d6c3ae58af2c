"""Requests 200051 and 200053: popped messages are consumed, or shall come back at another time.

Source: broker processor/AckMessageProcessor, ChangeInvisibleTimeProcessor.
"""

from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.pop.acking import Acker
from broker_py.broker.pop.extra_info import ExtraInfo, parse_extra_info
from broker_py.broker.statistics import Statistics
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused, StoreError
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.header import encode_header
from broker_py.wire.headers.pop import AckRequest, ChangeInvisibleTimeReply, ChangeInvisibleTimeRequest

_LONGEST_MS: Final = 1 << 40


class AckHandler:
    """Answers once what was asked for is as safe as the profile says."""

    def __init__(
        self, config: BrokerConfig, store: Store, topics: TopicTable, acker: Acker, statistics: Statistics
    ) -> None:
        self._statistics = statistics
        self._is_slave = config.is_slave
        self._store = store
        self._topics = topics
        self._acker = acker

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.ACK_MESSAGE, AckRequest, self.ack)
        router.on(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, ChangeInvisibleTimeRequest, self.change)

    def _check(self, request: AckRequest | ChangeInvisibleTimeRequest) -> ExtraInfo:
        if self._is_slave:
            raise RequestRefused(ResponseCode.NO_PERMISSION, "this broker is a slave: acknowledge at its master")
        topic = self._topics.require(request.topic)
        if not 0 <= request.queue_id < topic.read_queue_nums:
            raise RequestRefused(
                ResponseCode.MESSAGE_ILLEGAL,
                f"queueId[{request.queue_id}] is illegal, topic:[{request.topic}] "
                f"topicConfig.readQueueNums:[{topic.read_queue_nums}]",
            )
        first = self._store.min_offset(request.topic, request.queue_id)
        end = self._store.max_offset(request.topic, request.queue_id)
        if not first <= request.offset <= end:
            raise RequestRefused(
                ResponseCode.NO_MESSAGE,
                f"offset is illegal, key:{request.topic}@{request.queue_id}, commit:{request.offset}, "
                f"store:{first}~{end}",
            )
        return parse_extra_info(request.extra_info)

    def ack(self, request: AckRequest, command: Command, peer: Peer) -> None:
        """Note that a message is consumed."""
        info = self._check(request)
        self._statistics.settled(request.topic, request.consumer_group, again=False)

        def done(error: StoreError | None) -> None:
            peer.reply(command, Reply() if error is None else _failed(error))

        self._acker.ack(request.consumer_group, request.topic, request.queue_id, request.offset, info, done)

    def change(self, request: ChangeInvisibleTimeRequest, command: Command, peer: Peer) -> Reply | None:
        """Have a message come back at another time."""
        info = self._check(request)
        if not 0 <= request.invisible_time <= _LONGEST_MS:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"invisibleTime is {request.invisible_time} ms")
        self._statistics.settled(request.topic, request.consumer_group, again=True)
        safe: list[StoreError | None] = []
        changed: ExtraInfo | None = None

        def answer(error: StoreError | None) -> None:
            peer.reply(command, _failed(error) if error is not None else _changed(changed))

        def done(error: StoreError | None) -> None:
            if returned:
                answer(error)
            else:
                safe.append(error)

        returned = False
        changed = self._acker.change(
            request.consumer_group,
            request.topic,
            request.queue_id,
            request.offset,
            info,
            request.invisible_time,
            done,
        )
        returned = True
        if safe:
            answer(safe[0])
        return None


def _changed(info: ExtraInfo | None) -> Reply:
    if info is None:
        return Reply(ext=encode_header(ChangeInvisibleTimeReply(pop_time=0, invisible_time=0, revive_qid=0)))
    header = ChangeInvisibleTimeReply(
        pop_time=info.pop_time, invisible_time=info.invisible_time, revive_qid=info.revive_queue
    )
    return Reply(ext=encode_header(header))


def _failed(error: StoreError) -> Reply:
    return Reply(ResponseCode.SERVICE_NOT_AVAILABLE, f"that can't be noted, try again: {error}")
