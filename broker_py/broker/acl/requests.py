"""What each request needs: permissions of topics and groups for the requests of clients, an admin for all others.

Java names five requests for admins and asks nothing beyond a signature for all that it does not name (acl
plain/PlainAccessResource, common/Permission.ADMIN_CODE). Here the requests of clients are the named ones.
"""

from collections.abc import Callable
from typing import Any, Final

from broker_py.broker.acl.rules import ANY, PUB, SUB, Need
from broker_py.errors import ProtocolError
from broker_py.model.fields import dict_of, objects_of, text_of
from broker_py.model.topic import RETRY_PREFIX, TRACE_TOPIC
from broker_py.wire.command import Command
from broker_py.wire.fastjson import loads_object

Needs = list[Need]
_MOST_NEEDS: Final = 20_000
_REPLY_TOPIC_END: Final = "_REPLY_TOPIC"


def needs_of(command: Command) -> Needs | None:
    """Return what a request needs, None when that is an admin. ProtocolError when its body can't be read."""
    rule = CLIENT_REQUESTS.get(command.code)
    return None if rule is None else rule(command)


def is_trace(needs: Needs) -> bool:
    """True for a message trace, which everybody may send who has an account."""
    return any(need.name == TRACE_TOPIC and need.permission == PUB and not need.is_group for need in needs)


def _topic(name: str | None, permission: int) -> Needs:
    """A topic; a retry topic is its group's."""
    if not name:
        return []
    if name.startswith(RETRY_PREFIX):
        return [Need(name[len(RETRY_PREFIX) :], SUB, is_group=True)]
    return [Need(name, permission)]


def _group(name: str | None) -> Needs:
    return [Need(name, SUB, is_group=True)] if name else []


def _send(command: Command) -> Needs:
    """A message's topic, by either of its names: no handler may find one that was not asked about here."""
    ext = command.ext
    needs: Needs = []
    for topic, group in ((ext.get("topic"), ext.get("group")), (ext.get("b"), ext.get("a"))):
        if topic is not None and topic.startswith(RETRY_PREFIX):
            needs += _group(group)
        needs += _topic(topic, PUB)
    return needs


def _reply(command: Command) -> Needs:
    """An answer goes to the one client that asked, by a topic that every client may use; any other is a send."""
    return [need for need in _send(command) if need.is_group or not need.name.endswith(_REPLY_TOPIC_END)]


def _send_back(command: Command) -> Needs:
    return _group(command.ext.get("group")) + _topic(command.ext.get("originTopic"), SUB)


def _consume(command: Command) -> Needs:
    """Topic and group of ext fields. The retry topic that POP makes of both belongs to the group."""
    ext = command.ext
    group, topic = ext.get("consumerGroup"), ext.get("topic")
    if topic and group and topic.startswith(f"{RETRY_PREFIX}{group}_"):
        return _group(group)
    return _group(group) + _topic(topic, SUB)


def _of_topic(permission: int) -> Callable[[Command], Needs]:
    return lambda command: _topic(command.ext.get("topic"), permission)


def _of_group(field: str) -> Callable[[Command], Needs]:
    return lambda command: _group(command.ext.get(field))


def _heartbeat(command: Command) -> Needs:
    needs: Needs = []
    for consumer in objects_of(loads_object(command.body), "consumerDataSet"):
        needs += _group(text_of(consumer, "groupName"))
        for subscription in objects_of(consumer, "subscriptionDataSet"):
            needs += _topic(text_of(subscription, "topic"), SUB)
        if len(needs) > _MOST_NEEDS:
            raise ProtocolError(f"a heartbeat of more than {_MOST_NEEDS} groups and topics")
    return needs


def _locks(command: Command) -> Needs:
    body = loads_object(command.body)
    topics = {text_of(queue, "topic") for queue in objects_of(body, "mqSet")}
    return _group(text_of(body, "consumerGroup")) + [need for topic in sorted(topics) for need in _topic(topic, SUB)]


def _client_check(command: Command) -> Needs:
    body = loads_object(command.body)
    subscription: dict[Any, Any] = dict_of(body, "subscriptionData")
    return _group(text_of(body, "group")) + _topic(text_of(subscription, "topic"), SUB)


def _assignment(command: Command) -> Needs:
    body = loads_object(command.body)
    return _group(text_of(body, "consumerGroup")) + _topic(text_of(body, "topic"), SUB)


def _acks(command: Command) -> Needs:
    body = loads_object(command.body)
    group = text_of(body, "consumerGroup")
    topics = {text_of(ack, "topic") for ack in objects_of(body, "acks")}
    topics = {topic for topic in topics if not topic.startswith(f"{RETRY_PREFIX}{group}_")}
    return _group(group) + [need for topic in sorted(topics) for need in _topic(topic, SUB)]


# By number, since not all of them have a name here: requests that nobody serves are answered before this is asked.
CLIENT_REQUESTS: Final[dict[int, Callable[[Command], Needs]]] = {
    10: _send,  # SEND_MESSAGE
    310: _send,  # SEND_MESSAGE_V2
    320: _send,  # SEND_BATCH_MESSAGE
    324: _reply,  # SEND_REPLY_MESSAGE
    325: _reply,  # SEND_REPLY_MESSAGE_V2
    36: _send_back,  # CONSUMER_SEND_MSG_BACK
    37: _of_topic(PUB),  # END_TRANSACTION: 5.1 clients name no topic
    11: _consume,  # PULL_MESSAGE
    361: _consume,  # LITE_PULL_MESSAGE
    12: _of_topic(SUB),  # QUERY_MESSAGE
    14: _consume,  # QUERY_CONSUMER_OFFSET
    15: _consume,  # UPDATE_CONSUMER_OFFSET
    29: _of_topic(ANY),  # SEARCH_OFFSET_BY_TIMESTAMP
    30: _of_topic(ANY),  # GET_MAX_OFFSET
    31: _of_topic(ANY),  # GET_MIN_OFFSET
    32: _of_topic(ANY),  # GET_EARLIEST_MSG_STORETIME
    34: _heartbeat,  # HEART_BEAT
    35: _of_group("consumerGroup"),  # UNREGISTER_CLIENT
    38: _of_group("consumerGroup"),  # GET_CONSUMER_LIST_BY_GROUP
    41: _locks,  # LOCK_BATCH_MQ
    42: _locks,  # UNLOCK_BATCH_MQ
    46: _client_check,  # CHECK_CLIENT_CONFIG
    400: _assignment,  # QUERY_ASSIGNMENT
    200_050: _consume,  # POP_MESSAGE
    200_051: _consume,  # ACK_MESSAGE
    200_052: _consume,  # PEEK_MESSAGE
    200_053: _consume,  # CHANGE_MESSAGE_INVISIBLETIME
    200_054: _consume,  # NOTIFICATION
    200_055: _consume,  # POLLING_INFO
    200_151: _acks,  # BATCH_ACK_MESSAGE
}

# Requests of admins and slaves that change nothing; the audit leaves them out, since some of them come every second.
READING_REQUESTS: Final = frozenset(
    {
        *(21, 43, 45, 60, 61, 201, 402),  # what slaves copy
        *(26, 28, 33, 47, 52, 54),  # properties, figures, a message, access rules
        *(202, 203, 204, 208, 223, 300, 303, 305, 307, 308, 315, 317, 321, 328, 343, 345, 351, 352),
        *(905, 907, 1007),
    }
)
