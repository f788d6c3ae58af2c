"""Requests 200050, 200052, 200054 and 200055: popping messages, and asking whether there are any.

Source: broker processor/PopMessageProcessor, PeekMessageProcessor, NotificationProcessor, PollingInfoProcessor.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.groups import GroupTable
from broker_py.broker.long_polling import may_park
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.pop.extra_info import pop_retry_topic
from broker_py.broker.pop.popping import Popped, Popper
from broker_py.broker.pop.waiting import NOTIFICATION, POP, Waiting, WaitingPops, WaitKey
from broker_py.broker.statistics import Statistics
from broker_py.broker.tag_filter import parse_subscription
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused
from broker_py.model.subscription import EXPRESSION_TAG
from broker_py.model.topic import PERM_READ
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Handle, Router
from broker_py.seams import Clock
from broker_py.store.reading import GetStatus
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Chunk, Command, Reply
from broker_py.wire.header import decode_header, encode_header
from broker_py.wire.headers.pop import (
    NotificationRequest,
    PeekRequest,
    PollingInfoRequest,
    PopReply,
    PopRequest,
)

_MAX_MESSAGES: Final = 32
_LATE_SECONDS: Final = 0.05  # a wait that would end this soon is none

Attempt = Callable[[Command, Peer], "Reply | None"]


class PopHandler:
    """Answers pops with messages, or parks them. `reads(handler)` makes one that waits for no disk (`cold_reads`)."""

    def __init__(
        self,
        config: BrokerConfig,
        topics: TopicTable,
        groups: GroupTable,
        popper: Popper,
        waiting: WaitingPops,
        filters: MessageFilters,
        statistics: Statistics,
        clock: Clock,
        reads: Callable[[Handle], Handle],
    ) -> None:
        self._config = config
        self._topics = topics
        self._groups = groups
        self._popper = popper
        self._waiting = waiting
        self._filters = filters
        self._statistics = statistics
        self._clock = clock
        self._reads = reads
        self._router: Router | None = None

    def register(self, router: Router) -> None:
        """Serve the requests."""
        self._router = router
        router.on_command(RequestCode.POP_MESSAGE, self._reads(self.pop))
        router.on(RequestCode.PEEK_MESSAGE, PeekRequest, self.peek)
        router.wrap(RequestCode.PEEK_MESSAGE, self._reads)
        router.on_command(RequestCode.NOTIFICATION, self.notification)
        router.on(RequestCode.POLLING_INFO, PollingInfoRequest, self.polling_info)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def _check(self, topic_name: str, queue_id: int, group_name: str) -> None:
        config = self._config
        if config.is_slave:
            raise RequestRefused(ResponseCode.NO_PERMISSION, "this broker is a slave: pop from its master")
        if not config.broker_permission & PERM_READ:
            raise RequestRefused(
                ResponseCode.NO_PERMISSION, f"the broker[{config.broker_ip1}] poping message is forbidden"
            )
        topic = self._topics.require(topic_name)
        if not topic.readable:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"the topic[{topic_name}] peeking message is forbidden")
        if queue_id >= topic.read_queue_nums:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"queueId[{queue_id}] is illegal, topic:[{topic_name}] "
                f"topicConfig.readQueueNums:[{topic.read_queue_nums}]",
            )
        if not self._groups.require(group_name).consume_enable:
            raise RequestRefused(ResponseCode.NO_PERMISSION, f"subscription group no permission, {group_name}")

    # Popping

    def pop(self, command: Command, peer: Peer) -> Reply | None:
        """Answer a pop, or park it."""
        request = decode_header(PopRequest, command.ext)
        if not 0 < request.max_msg_nums <= _MAX_MESSAGES:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"the broker[{self._config.broker_ip1}] poping message's num is greater than {_MAX_MESSAGES}, or 0",
            )
        return self._pop(command, peer, request, self._clock.monotonic() + request.poll_time / 1000)

    def _pop(self, command: Command, peer: Peer, request: PopRequest, deadline: float) -> Reply | None:
        self._check(request.topic, request.queue_id, request.consumer_group)
        if not peer.is_writable:  # its time is up, and nothing is popped for it that it would not take
            nothing = Popped(self._clock.now_ms(), request.invisible_time, 0)
            return Reply(ResponseCode.POLLING_TIMEOUT, GetStatus.NO_MESSAGE_IN_QUEUE.name, self._ext(request, nothing))
        kind = request.exp_type if request.exp else EXPRESSION_TAG
        wanted = self._filters.of_pop(parse_subscription(request.topic, request.exp, kind))

        def then(popped: Popped) -> None:
            peer.reply(command, self._found(request, popped))

        began = self._clock.monotonic()
        popped = self._popper.pop(request, wanted, then)
        if popped.found:
            milliseconds = int((self._clock.monotonic() - began) * 1000)
            self._statistics.read(request.topic, request.queue_id, request.consumer_group, milliseconds)
            return None
        self._statistics.get_missed += 1
        key = request.topic, request.consumer_group, request.queue_id, POP
        code = self._park(key, deadline, command, peer, lambda c, p: self._pop(c, p, request, deadline))
        if code is None:
            if popped.unread:
                self._waiting.notify(request.topic, request.consumer_group, request.queue_id)
            return None
        return Reply(code, GetStatus.NO_MESSAGE_IN_QUEUE.name, self._ext(request, popped))

    def _park(self, key: WaitKey, deadline: float, command: Command, peer: Peer, again: Attempt) -> int | None:
        """Have a request wait and return None, or the code that says why not."""
        if self._waiting.closed or deadline - _LATE_SECONDS <= self._clock.monotonic():
            return ResponseCode.POLLING_TIMEOUT
        waiting, config = self._waiting, self._config
        in_line = waiting.count_of(key)
        if waiting.count >= config.max_pop_polling_size or in_line >= config.pop_polling_size:
            return ResponseCode.POLLING_FULL
        if not in_line and waiting.keys >= config.pop_polling_map_size:
            return ResponseCode.POLLING_FULL
        if not may_park(command):
            return ResponseCode.POLLING_FULL

        def resume(_timed_out: bool) -> bool:
            """Serve it anew: when its time is up, it does not park any more."""
            assert self._router is not None
            if not peer.is_open:
                return True
            before = waiting.count_of(key)
            self._router.serve(self._reads(again), command, peer)
            return waiting.count_of(key) == before

        command.strip()
        waiting.park(Waiting(key, deadline, peer, resume))
        return None

    def _found(self, request: PopRequest, popped: Popped) -> Reply:
        if not popped.taken:
            return Reply(
                ResponseCode.SERVICE_NOT_AVAILABLE,
                f"messages can't be popped, since that can't be noted: {popped.fault}",
            )
        size = sum(taken.size for taken in popped.taken)
        self._statistics.found(request.topic, request.consumer_group, popped.count, size)
        ext = self._ext(request, popped)
        return Reply(ResponseCode.SUCCESS, GetStatus.FOUND.name, ext, popped.chunks)

    def _ext(self, request: PopRequest, popped: Popped) -> dict[str, str]:
        reply = PopReply(
            pop_time=popped.pop_time,
            invisible_time=popped.invisible_time,
            revive_qid=popped.revive_queue,
            rest_num=popped.rest,
            start_offset_info=popped.start_offsets,
            msg_offset_info=popped.message_offsets,
        )
        return encode_header(replace(reply, order_count_info=popped.order_counts) if request.order else reply)

    # Looking

    def peek(self, request: PeekRequest, _command: Command, _peer: Peer) -> Reply:
        """Answer with what a pop would get."""
        self._check(request.topic, request.queue_id, request.consumer_group)
        chunks: list[Chunk] = []
        count = rest = size = 0
        for topic, queue_id in self._queues(request.topic, request.consumer_group, request.queue_id):
            rest += self._popper.rest(request.consumer_group, topic, queue_id)
            if count < min(request.max_msg_nums, _MAX_MESSAGES):
                wanted = min(request.max_msg_nums, _MAX_MESSAGES) - count
                result = self._popper.peek(request.consumer_group, topic, queue_id, wanted)
                chunks += result.chunks
                count += result.count
                size += result.size
        reply = PopReply(pop_time=0, invisible_time=0, revive_qid=0, rest_num=rest)
        if not chunks:
            return Reply(ResponseCode.PULL_NOT_FOUND, GetStatus.NO_MESSAGE_IN_QUEUE.name, encode_header(reply))
        self._statistics.found(request.topic, request.consumer_group, count, size)
        return Reply(ResponseCode.SUCCESS, GetStatus.FOUND.name, encode_header(reply), chunks)

    def _queues(self, topic: str, group: str, queue_id: int) -> list[tuple[str, int]]:
        count = self._topics.require(topic).read_queue_nums
        queues = [(topic, number) for number in (range(count) if queue_id < 0 else (queue_id,))]
        retry = self._topics.get(pop_retry_topic(topic, group))
        if retry is not None:
            queues += [(retry.topic_name, number) for number in range(retry.read_queue_nums)]
        return queues

    def notification(self, command: Command, peer: Peer) -> Reply | None:
        """Tell whether there is something to pop, or park the request."""
        request = decode_header(NotificationRequest, command.ext)
        return self._notify(command, peer, request, self._clock.monotonic() + request.poll_time / 1000)

    def _notify(self, command: Command, peer: Peer, request: NotificationRequest, deadline: float) -> Reply | None:
        topic, group, queue_id = request.topic, request.consumer_group, request.queue_id
        self._check(topic, queue_id, group)
        found = any(self._popper.has_message(group, *queue) for queue in self._queues(topic, group, queue_id))
        if not found:
            key = topic, group, queue_id, NOTIFICATION
            if self._park(key, deadline, command, peer, lambda c, p: self._notify(c, p, request, deadline)) is None:
                return None
        return Reply(ext={"hasMsg": "true" if found else "false"})

    def polling_info(self, request: PollingInfoRequest, _command: Command, _peer: Peer) -> Reply:
        """Tell how many pops wait for the same."""
        self._check(request.topic, request.queue_id, request.consumer_group)
        count = self._waiting.count_of((request.topic, request.consumer_group, request.queue_id, POP))
        return Reply(ext={"pollingNum": str(count)})
