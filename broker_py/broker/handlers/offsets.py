"""Positions in queues: requests 14, 15 and 29 to 32 (broker processor/ConsumerManageProcessor)."""

from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.topics import MAX_QUEUES, TopicTable
from broker_py.errors import RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.offsets import (
    QueryOffsetRequest,
    QueueRequest,
    SearchOffsetRequest,
    UpdateOffsetRequest,
)


class OffsetHandler:
    """Answers where groups stand and where queues begin and end."""

    def __init__(self, store: Store, topics: TopicTable, groups: GroupTable, offsets: ConsumerOffsetTable) -> None:
        self._store = store
        self._topics = topics
        self._groups = groups
        self._offsets = offsets

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.QUERY_CONSUMER_OFFSET, QueryOffsetRequest, self.query)
        router.on(RequestCode.UPDATE_CONSUMER_OFFSET, UpdateOffsetRequest, self.update)
        router.on(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, SearchOffsetRequest, self.search)
        router.on(RequestCode.GET_MAX_OFFSET, QueueRequest, self.maximum)
        router.on(RequestCode.GET_MIN_OFFSET, QueueRequest, self.minimum)
        router.on(RequestCode.GET_EARLIEST_MSG_STORETIME, QueueRequest, self.earliest)

    def query(self, request: QueryOffsetRequest, _command: Command, _peer: Peer) -> Reply:
        """Return a group's offset; for a group new to a young queue, its start."""
        offset = self._offsets.offset(request.consumer_group, request.topic, request.queue_id)
        if offset < 0:
            if request.set_zero_if_not_found is False or not self._is_young(request.topic, request.queue_id):
                raise RequestRefused(ResponseCode.QUERY_NOT_FOUND, "Not found, maybe this group consumer boot first")
            offset = 0
        return _offset(offset)

    def _is_young(self, topic: str, queue_id: int) -> bool:
        """True for a queue whose first message is there and likely in memory, or yet to come."""
        if self._store.min_offset(topic, queue_id) > 0:
            return False
        first = self._store.unit(topic, queue_id, 0)
        return first is None or self._store.is_near(first[0])

    def update(self, request: UpdateOffsetRequest, _command: Command, _peer: Peer) -> Reply:
        """Note where a group stands; the queue may be one that a shrunk topic has no more."""
        self._topics.require(request.topic)
        if request.commit_offset < 0 or not 0 <= request.queue_id < MAX_QUEUES:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"offset {request.commit_offset} of queue {request.queue_id}: no queue has this, or there is none such",
            )
        self._groups.require(request.consumer_group)
        self._offsets.commit(request.consumer_group, request.topic, request.queue_id, request.commit_offset)
        return Reply()

    def search(self, request: SearchOffsetRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the offset that belongs to a time."""
        return _offset(self._store.offset_by_time(request.topic, request.queue_id, request.timestamp))

    def maximum(self, request: QueueRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the offset that the next message gets."""
        return _offset(self._store.max_offset(request.topic, request.queue_id))

    def minimum(self, request: QueueRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the offset of the oldest message kept."""
        return _offset(self._store.min_offset(request.topic, request.queue_id))

    def earliest(self, request: QueueRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the store time of the oldest message kept, -1 when there is none."""
        first = self._store.min_offset(request.topic, request.queue_id)
        stored_ms = self._store.stored_ms(request.topic, request.queue_id, first)
        return Reply(ext={"timestamp": str(stored_ms or -1)})


def _offset(offset: int) -> Reply:
    return Reply(ext={"offset": str(offset)})
