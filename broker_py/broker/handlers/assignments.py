"""Requests 400 and 401: which queues a client gets, and how (broker processor/QueryAssignmentProcessor)."""

from collections.abc import Awaitable, Callable

from broker_py.broker.clients import ConsumerTable
from broker_py.broker.config import BrokerConfig, MessageRequestMode
from broker_py.broker.pop.assignment import STRATEGIES, assign, assign_pops
from broker_py.broker.request_modes import RequestMode, RequestModes
from broker_py.errors import RequestRefused
from broker_py.message.record import RETRY_PREFIX
from broker_py.model.fields import text_of
from broker_py.model.message_queue import MessageQueue
from broker_py.model.subscription import BROADCASTING
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object

Queues = Callable[[str], Awaitable[list[MessageQueue] | None]]
"""The readable queues of a topic in the whole cluster, None for an unknown one (`topic_queues`)."""


class AssignmentHandler:
    """Divides the queues of a topic among the members of a group."""

    def __init__(self, config: BrokerConfig, modes: RequestModes, consumers: ConsumerTable, queues: Queues) -> None:
        self._config = config
        self._modes = modes
        self._consumers = consumers
        self._queues = queues

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on_command(RequestCode.QUERY_ASSIGNMENT, self.assignment)
        router.on_command(RequestCode.SET_MESSAGE_REQUEST_MODE, self.set_mode)
        router.on_command(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE, self.modes)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def set_mode(self, command: Command, _peer: Peer) -> Reply:
        """Have a group pop a topic, or pull it."""
        mode = RequestMode.from_json(loads_object(command.body))
        if mode.topic.startswith(RETRY_PREFIX):
            raise RequestRefused(ResponseCode.NO_PERMISSION, "retry topic is not allowed to set mode")
        self._modes.put(mode)
        return Reply()

    def modes(self, _command: Command, _peer: Peer) -> Reply:
        """Return all that is set: what slaves copy."""
        return Reply(body=self._modes.text())

    def _mode(self, topic: str, group: str) -> RequestMode:
        mode = self._modes.get(topic, group)
        if mode is not None:
            return mode
        if topic.startswith(RETRY_PREFIX):
            return RequestMode(topic, group, MessageRequestMode.PULL)
        config = self._config
        return RequestMode(topic, group, config.default_message_request_mode, config.default_pop_share_queue_num)

    async def assignment(self, command: Command, _peer: Peer) -> Reply:
        """Tell a client its queues; null where they can't be known, and it keeps what it has."""
        fields = loads_object(command.body)
        topic, group = text_of(fields, "topic"), text_of(fields, "consumerGroup")
        mode = self._mode(topic, group)
        queues = await self._queues(topic)
        mine = None if queues is None else self._share(fields, group, mode, queues)
        if mine is None:
            return Reply(body=dumps({}))
        assignments = [{"messageQueue": queue.to_json(), "mode": mode.mode.value} for queue in mine]
        return Reply(body=dumps({"messageQueueAssignments": assignments}))

    def _share(
        self, fields: dict[str, object], group: str, mode: RequestMode, queues: list[MessageQueue]
    ) -> list[MessageQueue] | None:
        if text_of(fields, "messageModel") == BROADCASTING or not self._config.server_load_balancer_enable:
            return queues
        members = self._consumers.get(group)
        strategy = STRATEGIES.get(text_of(fields, "strategyName"))
        if members is None or strategy is None:
            return None
        client = text_of(fields, "clientId")
        if mode.mode is MessageRequestMode.POP:
            return assign_pops(queues, members.client_ids(), client, strategy, mode.pop_share_queue_num)
        return assign(queues, members.client_ids(), client, strategy)
