"""Topics for tools and slaves: requests 17, 21, 215, 305, 316 and 351 (broker processor/AdminBrokerProcessor)."""

from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.topics import MAX_QUEUES, TopicTable
from broker_py.errors import RequestRefused, StoreError
from broker_py.model.topic import SYSTEM_TOPICS, TopicConfig, topic_name_fault
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps
from broker_py.wire.headers.admin import CreateTopicRequest, TopicRequest

_FILTER_TYPES: Final = ("SINGLE_TAG", "MULTI_TAG")
# Attribute → (allowed values, may it be changed?), common attribute/TopicAttributes. What needs a store of another
# kind (BatchCQ, COMPACTION) is refused.
_ATTRIBUTES: Final = {
    "message.type": (("UNSPECIFIED", "NORMAL", "FIFO", "DELAY", "TRANSACTION"), True),
    "queue.type": (("SimpleCQ",), False),
    "cleanup.policy": (("DELETE",), False),
}
_NOT_ON_SLAVE: Final = (
    "Can't modify topic or subscription group from slave broker, please execute it from master broker."
)


class TopicHandler:
    """Makes, changes, deletes and lists topics."""

    def __init__(self, config: BrokerConfig, store: Store, topics: TopicTable, offsets: ConsumerOffsetTable) -> None:
        self._config = config
        self._store = store
        self._topics = topics
        self._offsets = offsets

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def register(self, router: Router) -> None:
        """Serve the requests."""
        router.on(RequestCode.UPDATE_AND_CREATE_TOPIC, CreateTopicRequest, self.create)
        router.on(RequestCode.DELETE_TOPIC_IN_BROKER, TopicRequest, self.delete)
        router.on(RequestCode.GET_TOPIC_CONFIG, TopicRequest, self.get)
        router.on_command(RequestCode.GET_ALL_TOPIC_CONFIG, self.get_all)
        router.on_command(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_BROKER, self.system_topics)
        router.on_command(RequestCode.CLEAN_UNUSED_TOPIC, self.clean_unused)

    def create(self, request: CreateTopicRequest, _command: Command, _peer: Peer) -> Reply:
        """Make a topic or change its settings. Queues that it no longer has keep what they hold."""
        name = request.topic
        self._check_changeable(name)
        if request.topic_filter_type not in _FILTER_TYPES:
            raise _refused(f"topicFilterType = [{request.topic_filter_type}] value invalid")
        for label, queues in (("readQueueNums", request.read_queue_nums), ("writeQueueNums", request.write_queue_nums)):
            if not 0 <= queues <= MAX_QUEUES:
                raise _refused(f"{label} is {queues}; 0 to {MAX_QUEUES} are allowed")
        if not 0 <= request.perm <= 7:
            raise _refused(f"perm is {request.perm}; 2 (write), 4 (read) and 6 (both) are allowed")
        known = self._topics.get(name)
        attributes = alter_attributes(known.attributes if known else None, request.attributes or "")
        topic = TopicConfig(
            topic_name=name,
            read_queue_nums=request.read_queue_nums,
            write_queue_nums=request.write_queue_nums,
            perm=request.perm,
            topic_filter_type=request.topic_filter_type,
            topic_sys_flag=request.topic_sys_flag,
            order=request.order,
            attributes=attributes,
        )
        self._topics.put(topic)
        return Reply()

    def delete(self, request: TopicRequest, _command: Command, _peer: Peer) -> Reply:
        """Remove a topic with its queues and the offsets in them; the log keeps its records until they expire."""
        self._check_changeable(request.topic)
        self._topics.remove(request.topic)
        self._offsets.remove_topic(request.topic)
        self._delete_queues(request.topic)
        return Reply()

    def _delete_queues(self, topic: str) -> None:
        try:
            self._store.delete_topic(topic)
        except StoreError as error:
            raise _refused(str(error)) from error

    def _check_changeable(self, topic: str) -> None:
        if self._config.is_slave:
            raise _refused(_NOT_ON_SLAVE)
        fault = topic_name_fault(topic)
        if fault is not None:
            raise _refused(fault)
        if self._config.validate_system_topic_when_update_topic and self._topics.is_system(topic):
            raise _refused(f"The topic[{topic}] is conflict with system topic.")

    def get(self, request: TopicRequest, _command: Command, _peer: Peer) -> Reply:
        """Return a topic's settings."""
        topic = self._topics.get(request.topic)
        if topic is None:
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, f"No topic in this broker. topic: {request.topic}")
        return Reply(body=dumps(topic.to_json()))

    def get_all(self, _command: Command, _peer: Peer) -> Reply:
        """Return all topics; slaves ask for them too."""
        return Reply(body=dumps(self._topics.to_json()))

    def system_topics(self, _command: Command, _peer: Peer) -> Reply:
        """Return the names that belong to RocketMQ itself."""
        own = {topic.topic_name for topic in self._topics if self._topics.is_system(topic.topic_name)}
        return Reply(body=dumps({"topicList": sorted(own | SYSTEM_TOPICS)}))

    def clean_unused(self, _command: Command, _peer: Peer) -> Reply:
        """Remove the queues of topics that have no settings any more."""
        for topic in set(self._store.topics()):
            if topic not in self._topics and not self._topics.is_system(topic):
                self._delete_queues(topic)
        return Reply()


def alter_attributes(current: dict[str, str] | None, text: str) -> dict[str, str]:
    """Return attributes after `+key=value,-key`; `current` is None for a new topic (common AttributeUtil)."""
    attributes = dict(current or {})
    for item in filter(None, (part.strip() for part in text.split(","))):
        sign, (key, _, value) = item[0], item[1:].partition("=")
        if sign not in "+-":
            raise _refused(f"attribute {item!r} begins neither with + nor with -")
        if key not in _ATTRIBUTES:
            raise _refused(f"unsupported key: {key}; there are {', '.join(_ATTRIBUTES)}")
        allowed, changeable = _ATTRIBUTES[key]
        if current is not None and not changeable:
            raise _refused(f"attribute {key} can't be changed after the topic was made")
        if sign == "-":
            if current is None:
                raise _refused(f"a new topic has no attribute {key} to delete")
            attributes.pop(key, None)
        elif value not in allowed:
            raise _refused(f"value {value!r} is not allowed for {key} here; there are {', '.join(allowed)}")
        else:
            attributes[key] = value
    return attributes


def _refused(remark: str) -> RequestRefused:
    return RequestRefused(ResponseCode.SYSTEM_ERROR, remark)
