"""Versions of tables, by which their copies elsewhere are found old."""

from dataclasses import dataclass
from typing import Any

from broker_py.model.fields import int_of


@dataclass(frozen=True)
class DataVersion:
    """State of a table: equal only when all three match (remoting protocol/DataVersion)."""

    timestamp: int = 0
    counter: int = 0
    state_version: int = 0

    def next(self, now_ms: int) -> "DataVersion":
        """Return the version after one more change."""
        return DataVersion(now_ms, self.counter + 1, self.state_version)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"counter": self.counter, "stateVersion": self.state_version, "timestamp": self.timestamp}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "DataVersion":
        """Return the value of a JSON form."""
        return cls(int_of(fields, "timestamp"), int_of(fields, "counter"), int_of(fields, "stateVersion"))
