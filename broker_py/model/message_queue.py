"""One queue of a topic on one broker."""

from dataclasses import dataclass
from typing import Any

from broker_py.model.fields import int_of, text_of


@dataclass(frozen=True, order=True)
class MessageQueue:
    """Where messages lie: a queue of `topic` on the brokers named `broker_name` (common message/MessageQueue)."""

    topic: str
    broker_name: str
    queue_id: int

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"brokerName": self.broker_name, "queueId": self.queue_id, "topic": self.topic}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "MessageQueue":
        """Return the value of a JSON form."""
        return cls(text_of(fields, "topic"), text_of(fields, "brokerName"), int_of(fields, "queueId"))
