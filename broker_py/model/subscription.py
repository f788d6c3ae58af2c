"""What clients say of themselves in a heartbeat: their groups and subscriptions."""

from dataclasses import dataclass
from typing import Any, Final

from broker_py.model.fields import bool_of, int_of, list_of, objects_of, text_of

ALL_TAGS: Final = "*"
EXPRESSION_TAG: Final = "TAG"
EXPRESSION_SQL92: Final = "SQL92"
CONSUME_PASSIVELY: Final = "CONSUME_PASSIVELY"
CONSUME_ACTIVELY: Final = "CONSUME_ACTIVELY"
CLUSTERING: Final = "CLUSTERING"
BROADCASTING: Final = "BROADCASTING"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One topic of a consumer and what it wants of it (remoting protocol/heartbeat/SubscriptionData)."""

    topic: str
    sub_string: str = ALL_TAGS
    tags: tuple[str, ...] = ()
    codes: frozenset[int] = frozenset()
    sub_version: int = 0
    expression_type: str = EXPRESSION_TAG
    class_filter_mode: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "classFilterMode": self.class_filter_mode,
            "codeSet": sorted(self.codes),
            "expressionType": self.expression_type,
            "subString": self.sub_string,
            "subVersion": self.sub_version,
            "tagsSet": list(self.tags),
            "topic": self.topic,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Subscription":
        """Return the value of a JSON form; the Go client writes codes as text."""
        codes = list_of(fields, "codeSet")
        return cls(
            topic=text_of(fields, "topic"),
            sub_string=text_of(fields, "subString", ALL_TAGS),
            tags=tuple(str(tag) for tag in list_of(fields, "tagsSet")),
            codes=frozenset(int_of({"codeSet": code}, "codeSet") for code in codes),
            sub_version=int_of(fields, "subVersion"),
            expression_type=text_of(fields, "expressionType", EXPRESSION_TAG),
            class_filter_mode=bool_of(fields, "classFilterMode"),
        )


@dataclass(frozen=True, kw_only=True)
class ConsumerData:
    """One consumer group of a client (remoting protocol/heartbeat/ConsumerData)."""

    group_name: str
    consume_type: str = CONSUME_PASSIVELY
    message_model: str = CLUSTERING
    consume_from_where: str = "CONSUME_FROM_LAST_OFFSET"
    subscriptions: tuple[Subscription, ...] = ()
    unit_mode: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "consumeFromWhere": self.consume_from_where,
            "consumeType": self.consume_type,
            "groupName": self.group_name,
            "messageModel": self.message_model,
            "subscriptionDataSet": [subscription.to_json() for subscription in self.subscriptions],
            "unitMode": self.unit_mode,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ConsumerData":
        """Return the value of a JSON form."""
        return cls(
            group_name=text_of(fields, "groupName"),
            consume_type=text_of(fields, "consumeType", CONSUME_PASSIVELY),
            message_model=text_of(fields, "messageModel", CLUSTERING),
            consume_from_where=text_of(fields, "consumeFromWhere", "CONSUME_FROM_LAST_OFFSET"),
            subscriptions=tuple(Subscription.from_json(item) for item in objects_of(fields, "subscriptionDataSet")),
            unit_mode=bool_of(fields, "unitMode"),
        )


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """What a client says of itself every 30 s (remoting protocol/heartbeat/HeartbeatData)."""

    client_id: str
    producer_groups: tuple[str, ...] = ()
    consumers: tuple[ConsumerData, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "clientID": self.client_id,
            "consumerDataSet": [consumer.to_json() for consumer in self.consumers],
            "producerDataSet": [{"groupName": group} for group in self.producer_groups],
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Heartbeat":
        """Return the value of a JSON form."""
        return cls(
            client_id=text_of(fields, "clientID"),
            producer_groups=tuple(text_of(item, "groupName") for item in objects_of(fields, "producerDataSet")),
            consumers=tuple(ConsumerData.from_json(item) for item in objects_of(fields, "consumerDataSet")),
        )
