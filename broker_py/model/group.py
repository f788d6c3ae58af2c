"""Consumer groups: the settings a broker keeps for each."""

from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.model.fields import bool_of, dict_of, int_of, text_of

# common MixAll, topic of groups that tools and the broker itself use
PREDEFINED_GROUPS: Final = (
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
    "CID_ONSAPI_OWNER",
    "CID_RMQ_SYS_TRANS",
)
SYSTEM_GROUP_PREFIX: Final = "CID_RMQ_SYS_"


@dataclass(frozen=True, kw_only=True)
class GroupConfig:
    """Settings of one consumer group (remoting protocol/subscription/SubscriptionGroupConfig)."""

    group_name: str
    consume_enable: bool = True
    consume_from_min_enable: bool = True
    consume_broadcast_enable: bool = True
    consume_message_orderly: bool = False
    retry_queue_nums: int = 1
    retry_max_times: int = 16
    group_retry_policy: dict[str, Any] = field(default_factory=lambda: {"type": "CUSTOMIZED"})
    broker_id: int = 0
    which_broker_when_consume_slowly: int = 1
    notify_consumer_ids_changed_enable: bool = True
    group_sys_flag: int = 0
    consume_timeout_minute: int = 15

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "brokerId": self.broker_id,
            "consumeBroadcastEnable": self.consume_broadcast_enable,
            "consumeEnable": self.consume_enable,
            "consumeFromMinEnable": self.consume_from_min_enable,
            "consumeMessageOrderly": self.consume_message_orderly,
            "consumeTimeoutMinute": self.consume_timeout_minute,
            "groupName": self.group_name,
            "groupRetryPolicy": self.group_retry_policy,
            "groupSysFlag": self.group_sys_flag,
            "notifyConsumerIdsChangedEnable": self.notify_consumer_ids_changed_enable,
            "retryMaxTimes": self.retry_max_times,
            "retryQueueNums": self.retry_queue_nums,
            "whichBrokerWhenConsumeSlowly": self.which_broker_when_consume_slowly,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "GroupConfig":
        """Return the value of a JSON form; brokers and tools of 4.9 leave the last fields out."""
        return cls(
            group_name=text_of(fields, "groupName"),
            consume_enable=bool_of(fields, "consumeEnable", True),
            consume_from_min_enable=bool_of(fields, "consumeFromMinEnable", True),
            consume_broadcast_enable=bool_of(fields, "consumeBroadcastEnable", True),
            consume_message_orderly=bool_of(fields, "consumeMessageOrderly"),
            retry_queue_nums=int_of(fields, "retryQueueNums", 1),
            retry_max_times=int_of(fields, "retryMaxTimes", 16),
            group_retry_policy=dict_of(fields, "groupRetryPolicy") or {"type": "CUSTOMIZED"},
            broker_id=int_of(fields, "brokerId"),
            which_broker_when_consume_slowly=int_of(fields, "whichBrokerWhenConsumeSlowly", 1),
            notify_consumer_ids_changed_enable=bool_of(fields, "notifyConsumerIdsChangedEnable", True),
            group_sys_flag=int_of(fields, "groupSysFlag"),
            consume_timeout_minute=int_of(fields, "consumeTimeoutMinute", 15),
        )
