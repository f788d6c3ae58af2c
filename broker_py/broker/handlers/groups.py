"""Consumer groups for tools and slaves: requests 43, 200, 201, 207, 352 and 353 (AdminBrokerProcessor)."""

from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.groups import GroupTable, group_name_fault
from broker_py.broker.handlers.bodies import object_body
from broker_py.broker.topics import MAX_QUEUES, TopicTable
from broker_py.errors import RequestRefused
from broker_py.model.group import GroupConfig
from broker_py.model.topic import retry_topic
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import DeleteGroupRequest, ForbiddenRequest, GroupRequest


class GroupHandler:
    """Makes, changes, deletes and lists consumer groups, and hands the tables that slaves copy out."""

    def __init__(
        self, config: BrokerConfig, topics: TopicTable, groups: GroupTable, offsets: ConsumerOffsetTable
    ) -> None:
        self._config = config
        self._topics = topics
        self._groups = groups
        self._offsets = offsets

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on_command(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, self.put)
        router.on(RequestCode.DELETE_SUBSCRIPTIONGROUP, DeleteGroupRequest, self.delete)
        router.on(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, GroupRequest, self.get)
        router.on(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, ForbiddenRequest, self.forbid)
        router.on_command(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, self.get_all)
        router.on_command(RequestCode.GET_ALL_CONSUMER_OFFSET, self.all_offsets)

    def put(self, command: Command, _peer: Peer) -> Reply:
        """Make a group or change its settings."""
        self._check_master()
        group = GroupConfig.from_json(object_body(command))
        fault = group_name_fault(group.group_name)
        if fault is None and not 0 <= group.retry_queue_nums <= MAX_QUEUES:
            fault = f"retryQueueNums is {group.retry_queue_nums}; 0 to {MAX_QUEUES} are allowed"
        if fault is not None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, fault)
        self._groups.put(group)
        return Reply()

    def delete(self, request: DeleteGroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Remove a group, on demand with its offsets."""
        self._check_master()
        self._groups.remove(request.group_name)
        if request.clean_offset:
            self._offsets.remove_group(request.group_name)
            self._topics.remove(retry_topic(request.group_name))
        return Reply()

    def _check_master(self) -> None:
        if self._config.is_slave:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                "Can't modify topic or subscription group from slave broker, please execute it from master broker.",
            )

    def get(self, request: GroupRequest, _command: Command, _peer: Peer) -> Reply:
        """Return a group's settings."""
        group = self._groups.get(request.group)
        if group is None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"No group in this broker. group: {request.group}")
        return Reply(body=dumps(group.to_json()))

    def forbid(self, request: ForbiddenRequest, _command: Command, _peer: Peer) -> Reply:
        """Forbid a group to read a topic or allow it again, where the request says so; return what holds."""
        if request.readable is not None:
            self._check_master()
            if self._groups.get(request.group) is None:
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"No group in this broker. group: {request.group}")
            self._topics.require(request.topic)
            self._groups.allow_reading(request.group, request.topic, request.readable)
        readable = self._groups.may_read(request.group, request.topic)
        return Reply(remark="", body=dumps({"group": request.group, "readable": readable, "topic": request.topic}))

    def get_all(self, _command: Command, _peer: Peer) -> Reply:
        """Return all groups."""
        return Reply(body=dumps(self._groups.to_json()))

    def all_offsets(self, _command: Command, _peer: Peer) -> Reply:
        """Return the offsets of all groups."""
        return Reply(body=dumps(self._offsets.to_json()))
