"""Headers of the requests that bring messages (remoting protocol/header/SendMessageRequestHeader and ...V2).

These two are on the hot path: they are read by hand, since a plan per field costs three times as much.
"""

from dataclasses import dataclass
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.header import Int32, Int64, decode_int

_INT32_MAX: Final = (1 << 31) - 1
_INT64_MAX: Final = (1 << 63) - 1

# (long name, letter of V2)
_PRODUCER_GROUP: Final = ("producerGroup", "a")
_TOPIC: Final = ("topic", "b")
_DEFAULT_TOPIC: Final = ("defaultTopic", "c")
_DEFAULT_TOPIC_QUEUE_NUMS: Final = ("defaultTopicQueueNums", "d")
_QUEUE_ID: Final = ("queueId", "e")
_SYS_FLAG: Final = ("sysFlag", "f")
_BORN_TIMESTAMP: Final = ("bornTimestamp", "g")
_FLAG: Final = ("flag", "h")
_PROPERTIES: Final = ("properties", "i")
_RECONSUME_TIMES: Final = ("reconsumeTimes", "j")
_UNIT_MODE: Final = ("unitMode", "k")
_MAX_RECONSUME_TIMES: Final = ("maxReconsumeTimes", "l")
_BATCH: Final = ("batch", "m")
_LONG_NAMES: Final = (RequestCode.SEND_MESSAGE, RequestCode.SEND_REPLY_MESSAGE)


class SendRequest:
    """A message to store, or a batch of them: requests 10, 310 and 320; a reply to one: requests 324 and 325.

    `properties` is the text `name 0x01 value 0x02 ...`. `max_reconsume_times` is None when not sent.
    """

    __slots__ = (
        "batch",
        "born_timestamp",
        "default_topic",
        "default_topic_queue_nums",
        "flag",
        "max_reconsume_times",
        "producer_group",
        "properties",
        "queue_id",
        "reconsume_times",
        "sys_flag",
        "topic",
        "unit_mode",
    )

    def __init__(
        self,
        producer_group: str,
        topic: str,
        queue_id: int,
        *,
        born_timestamp: int,
        properties: str = "",
        default_topic: str = "TBW102",
        default_topic_queue_nums: int = 4,
        sys_flag: int = 0,
        flag: int = 0,
        reconsume_times: int = 0,
        unit_mode: bool = False,
        max_reconsume_times: int | None = None,
        batch: bool = False,
    ) -> None:
        self.producer_group = producer_group
        self.topic = topic
        self.queue_id = queue_id
        self.born_timestamp = born_timestamp
        self.properties = properties
        self.default_topic = default_topic
        self.default_topic_queue_nums = default_topic_queue_nums
        self.sys_flag = sys_flag
        self.flag = flag
        self.reconsume_times = reconsume_times
        self.unit_mode = unit_mode
        self.max_reconsume_times = max_reconsume_times
        self.batch = batch

    def to_ext(self) -> dict[str, str]:
        """Return the fields of request 310 or 320."""
        ext = {
            "a": self.producer_group,
            "b": self.topic,
            "c": self.default_topic,
            "d": str(self.default_topic_queue_nums),
            "e": str(self.queue_id),
            "f": str(self.sys_flag),
            "g": str(self.born_timestamp),
            "h": str(self.flag),
            "i": self.properties,
            "j": str(self.reconsume_times),
            "k": "true" if self.unit_mode else "false",
            "m": "true" if self.batch else "false",
        }
        if self.max_reconsume_times is not None:
            ext["l"] = str(self.max_reconsume_times)
        return ext


def decode_send(command: Command) -> SendRequest:
    """Return the typed header of a send; RequestRefused names the field that is missing or wrong."""
    ext = command.ext
    form = 0 if command.code in _LONG_NAMES else 1
    try:
        # The straight way; every deviation is looked at again below, for a sentence that names it.
        queue_id = int(ext[_QUEUE_ID[form]])
        sys_flag = int(ext[_SYS_FLAG[form]])
        born_timestamp = int(ext[_BORN_TIMESTAMP[form]])
        flag = int(ext[_FLAG[form]])
        default_topic_queue_nums = int(ext[_DEFAULT_TOPIC_QUEUE_NUMS[form]])
        if not (
            -_INT32_MAX <= queue_id <= _INT32_MAX
            and -_INT32_MAX <= sys_flag <= _INT32_MAX
            and -_INT32_MAX <= flag <= _INT32_MAX
            and -_INT64_MAX <= born_timestamp <= _INT64_MAX
        ):
            raise _send_fault(ext, form)
        reconsume_times = ext.get(_RECONSUME_TIMES[form])
        max_reconsume_times = ext.get(_MAX_RECONSUME_TIMES[form])
        return SendRequest(
            ext[_PRODUCER_GROUP[form]],
            ext[_TOPIC[form]],
            queue_id,
            born_timestamp=born_timestamp,
            properties=ext.get(_PROPERTIES[form], ""),
            default_topic=ext[_DEFAULT_TOPIC[form]],
            default_topic_queue_nums=default_topic_queue_nums,
            sys_flag=sys_flag,
            flag=flag,
            reconsume_times=0
            if reconsume_times is None or reconsume_times == "0"
            else decode_int("reconsumeTimes", reconsume_times, 0, _INT32_MAX),
            unit_mode=ext.get(_UNIT_MODE[form]) == "true",
            max_reconsume_times=None
            if max_reconsume_times is None
            else decode_int("maxReconsumeTimes", max_reconsume_times, -1, _INT32_MAX),
            batch=ext.get(_BATCH[form]) == "true",
        )
    except (KeyError, ValueError):
        raise _send_fault(ext, form) from None


def _send_fault(ext: dict[str, str], form: int) -> RequestRefused:
    for names in (_PRODUCER_GROUP, _TOPIC, _DEFAULT_TOPIC):
        if names[form] not in ext:
            return RequestRefused(ResponseCode.SYSTEM_ERROR, f"the request lacks the field {_shown(names, form)}")
    for names in (_DEFAULT_TOPIC_QUEUE_NUMS, _QUEUE_ID, _SYS_FLAG, _BORN_TIMESTAMP, _FLAG):
        text = ext.get(names[form])
        if text is None:
            return RequestRefused(ResponseCode.SYSTEM_ERROR, f"the request lacks the field {_shown(names, form)}")
        limit = _INT64_MAX if names is _BORN_TIMESTAMP else _INT32_MAX
        try:
            decode_int(_shown(names, form), text, -limit, limit)
        except RequestRefused as fault:
            return fault
    return RequestRefused(ResponseCode.SYSTEM_ERROR, "the header of the send request can't be read")


def _shown(names: tuple[str, str], form: int) -> str:
    return names[0] if form == 0 else f"{names[0]} ({names[1]})"


@dataclass(kw_only=True)
class SendBackRequest:
    """A message that a group's consumer could not consume: request 36 (ConsumerSendMsgBackRequestHeader).

    `offset` is the message's log offset. The fields for hooks of a Java broker are not read.
    """

    offset: Int64
    group: str
    delay_level: Int32
    unit_mode: bool = False
    max_reconsume_times: Int32 | None = None
