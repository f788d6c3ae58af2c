"""Copying the offsets of a group: request 314 (broker processor/AdminBrokerProcessor.cloneGroupOffset)."""

from broker_py.broker.clients import ConsumerTable
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.topics import TopicTable
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.admin import CloneGroupOffsetRequest


class CloneHandler:
    """Has a group stand where another one does, in one topic or in all that this one consumes."""

    def __init__(self, topics: TopicTable, offsets: ConsumerOffsetTable, consumers: ConsumerTable) -> None:
        self._topics = topics
        self._offsets = offsets
        self._consumers = consumers

    def register(self, router: Router) -> None:
        """Serve the request."""
        router.on(RequestCode.CLONE_GROUP_OFFSET, CloneGroupOffsetRequest, self.clone)

    def clone(self, request: CloneGroupOffsetRequest, _command: Command, _peer: Peer) -> Reply:
        """Copy what there is; topics that are gone, and those that a group which is online does not want, are not."""
        topics = {request.topic} if request.topic else self._offsets.topics_of(request.src_group)
        members = None if request.offline else self._consumers.get(request.dest_group)
        copied = {
            (topic, queue_id): queue_offset
            for topic, group, queues in self._offsets
            if group == request.src_group and topic in topics and topic in self._topics
            if members is None or not members.members or topic in members.subscriptions
            for queue_id, queue_offset in queues.items()
        }
        for (topic, queue_id), queue_offset in copied.items():
            self._offsets.commit(request.dest_group, topic, queue_id, queue_offset)
        return Reply()
