"""Clients and their groups: requests 34, 35, 38, 41, 42, 46, 203, 204 and 328.

Source: broker processor/ClientManageProcessor, ConsumerManageProcessor, AdminBrokerProcessor.
"""

from typing import Any, Final

from broker_py.broker.clients import Client, ConsumerTable, ProducerTable
from broker_py.broker.groups import GroupTable
from broker_py.broker.handlers.bodies import object_body, objects_of
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.queue_locks import QueueLocks
from broker_py.broker.tag_filter import parse_subscription
from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused
from broker_py.model.fields import dict_of, text_of
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import ConsumerData, Heartbeat, Subscription
from broker_py.model.topic import retry_topic
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.wire.codes import LANGUAGES, RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.clients import ConsumerGroupRequest, ProducerGroupRequest, UnregisterClientRequest

MAX_GROUPS: Final = 1000
"""Groups of one client, each of producers and of consumers."""
MAX_SUBSCRIPTIONS: Final = 1000
MAX_LOCKED_QUEUES: Final = 20_000


class ClientHandler:
    """Keeps the tables of producers and consumers by what clients say, and tells of them."""

    def __init__(
        self,
        topics: TopicTable,
        groups: GroupTable,
        consumers: ConsumerTable,
        producers: ProducerTable,
        locks: QueueLocks,
        filters: MessageFilters,
        clock: Clock,
        is_slave: bool,
    ) -> None:
        self._topics = topics
        self._groups = groups
        self._consumers = consumers
        self._producers = producers
        self._locks = locks
        self._filters = filters
        self._clock = clock
        self._is_slave = is_slave

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on_command(RequestCode.HEART_BEAT, self.heartbeat)
        router.on(RequestCode.UNREGISTER_CLIENT, UnregisterClientRequest, self.unregister)
        router.on(RequestCode.GET_CONSUMER_LIST_BY_GROUP, ConsumerGroupRequest, self.consumer_list)
        router.on_command(RequestCode.LOCK_BATCH_MQ, self.lock)
        router.on_command(RequestCode.UNLOCK_BATCH_MQ, self.unlock)
        router.on_command(RequestCode.CHECK_CLIENT_CONFIG, self.check_config)
        router.on(RequestCode.GET_CONSUMER_CONNECTION_LIST, ConsumerGroupRequest, self.consumer_connections)
        router.on(RequestCode.GET_PRODUCER_CONNECTION_LIST, ProducerGroupRequest, self.producer_connections)
        router.on_command(RequestCode.GET_ALL_PRODUCER_INFO, self.all_producers)

    def heartbeat(self, command: Command, peer: Peer) -> Reply:
        """Note a client's groups. One that is refused is told of when the others are noted."""
        heartbeat = _heartbeat(command)
        client = Client(heartbeat.client_id, peer, command.language, command.version, self._clock.now_ms())
        for producer_group in heartbeat.producer_groups:
            self._producers.heard(producer_group, client)
        refusal: RequestRefused | None = None
        for data in heartbeat.consumers:
            try:
                self._heard_consumer(data, client)
            except RequestRefused as error:
                refusal = refusal or error
        if refusal is not None:
            raise refusal
        return Reply()

    def _heard_consumer(self, data: ConsumerData, client: Client) -> None:
        """Note a member of a consumer group, which gets its settings and its retry topic."""
        group = self._groups.require(data.group_name)
        if group.retry_queue_nums > 0 and not self._is_slave:
            self._topics.create_if_missing(retry_topic(data.group_name), group.retry_queue_nums)
        self._consumers.heard(data, client)

    def unregister(self, request: UnregisterClientRequest, _command: Command, peer: Peer) -> Reply:
        """Forget a client in the groups that it names."""
        if request.producer_group:
            self._producers.left(request.producer_group, peer)
        if request.consumer_group:
            self._consumers.left(request.consumer_group, peer)
        return Reply()

    def consumer_list(self, request: ConsumerGroupRequest, _command: Command, peer: Peer) -> Reply:
        """Return the ids of a group's members, by which each of them divides the queues."""
        group = self._consumers.get(request.consumer_group)
        if group is None:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                f"no consumer for this group, {request.consumer_group}, asked by {peer.name}",
            )
        return Reply(body=dumps({"consumerIdList": group.client_ids()}))

    def lock(self, command: Command, _peer: Peer) -> Reply:
        """Lock queues for ordered consumption; the reply has those that are the client's."""
        body = object_body(command)
        held = self._locks.lock(
            text_of(body, "consumerGroup"), text_of(body, "clientId"), _queues(body), self._clock.now_ms()
        )
        return Reply(body=dumps({"lockOKMQSet": [queue.to_json() for queue in held]}))

    def unlock(self, command: Command, _peer: Peer) -> Reply:
        """Unlock queues."""
        body = object_body(command)
        self._locks.unlock(text_of(body, "consumerGroup"), text_of(body, "clientId"), _queues(body))
        return Reply()

    def check_config(self, command: Command, _peer: Peer) -> Reply:
        """Tell a consumer at its start whether its subscription can be served."""
        subscription = Subscription.from_json(dict_of(object_body(command), "subscriptionData"))
        self._filters.of_request(
            parse_subscription(subscription.topic, subscription.sub_string, subscription.expression_type)
        )
        return Reply()

    def consumer_connections(self, request: ConsumerGroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the connections and subscriptions of a group."""
        group = self._consumers.get(request.consumer_group)
        if group is None:
            raise RequestRefused(
                ResponseCode.CONSUMER_NOT_ONLINE, f"the consumer group[{request.consumer_group}] not online"
            )
        return Reply(
            body=dumps(
                {
                    "connectionSet": [_connection(client) for client in group.members.values()],
                    "consumeFromWhere": group.consume_from_where,
                    "consumeType": group.consume_type,
                    "messageModel": group.message_model,
                    "subscriptionTable": {
                        topic: subscription.to_json() for topic, subscription in group.subscriptions.items()
                    },
                }
            )
        )

    def producer_connections(self, request: ProducerGroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return the connections of a producer group."""
        members = self._producers.members(request.producer_group)
        if not members:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the producer group[{request.producer_group}] not exist")
        return Reply(body=dumps({"connectionSet": [_connection(client) for client in members]}))

    def all_producers(self, _command: Command, _peer: Peer) -> Reply:
        """Return all producers by group."""
        data = {
            group: [
                {
                    "clientId": client.client_id,
                    "language": LANGUAGES[client.language],
                    "lastUpdateTimestamp": client.last_heard_ms,
                    "remoteIP": f"/{client.peer.name}",
                    "version": client.version,
                }
                for client in members
            ]
            for group, members in self._producers.groups().items()
        }
        return Reply(body=dumps({"data": data}))


def _connection(client: Client) -> dict[str, Any]:
    return {
        "clientAddr": client.peer.name,
        "clientId": client.client_id,
        "language": LANGUAGES[client.language],
        "version": client.version,
    }


def _queues(body: dict[str, Any]) -> list[MessageQueue]:
    return [MessageQueue.from_json(item) for item in objects_of(body, "mqSet", MAX_LOCKED_QUEUES)]


def _heartbeat(command: Command) -> Heartbeat:
    body = object_body(command)
    objects_of(body, "producerDataSet", MAX_GROUPS)
    for consumer in objects_of(body, "consumerDataSet", MAX_GROUPS):
        objects_of(consumer, "subscriptionDataSet", MAX_SUBSCRIPTIONS)
    heartbeat = Heartbeat.from_json(body)
    if not heartbeat.client_id:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, "the heartbeat says of no client (clientID)")
    return heartbeat
