"""Which groups pop, and which pull: messageRequestMode.json (broker loadbalance/MessageRequestModeManager)."""

from dataclasses import dataclass
from typing import Any

from broker_py.broker.config import MessageRequestMode
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import ProtocolError, RequestRefused
from broker_py.model.fields import dict_of, int_of, text_of
from broker_py.wire.codes import ResponseCode
from broker_py.wire.fastjson import dumps, loads_trusted

_TABLE = "messageRequestModeMap"
MAX_MODES = 100_000


@dataclass(frozen=True, slots=True)
class RequestMode:
    """How a group gets a topic's messages; popping, each client shares the queues of so many others, of all if 0."""

    topic: str
    group: str
    mode: MessageRequestMode
    pop_share_queue_num: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "consumerGroup": self.group,
            "mode": self.mode.value,
            "popShareQueueNum": self.pop_share_queue_num,
            "topic": self.topic,
        }

    @classmethod
    def from_json(cls, fields: dict[Any, Any]) -> "RequestMode":
        """Return the value of a JSON form. ProtocolError."""
        topic, group = text_of(fields, "topic"), text_of(fields, "consumerGroup")
        if not topic or not group:
            raise ProtocolError("a message request mode lacks its topic or its consumerGroup")
        try:
            mode = MessageRequestMode(text_of(fields, "mode") or "PULL")
        except ValueError as error:
            raise ProtocolError(f"the mode is not PULL or POP: {error}") from None
        return cls(topic, group, mode, int_of(fields, "popShareQueueNum"))


class RequestModes:
    """(topic, group) → mode."""

    def __init__(self, file: MetadataFile) -> None:
        self._file = file
        self._modes: dict[tuple[str, str], RequestMode] = {}

    def load(self) -> None:
        """Read the file; StoreError."""
        self._file.load(self._take)

    def _take(self, content: dict[Any, Any]) -> None:
        table = dict_of(content, _TABLE)
        modes = [RequestMode.from_json(dict_of(groups, name)) for groups in _objects(table) for name in groups]
        self._modes = {(mode.topic, mode.group): mode for mode in modes}

    def get(self, topic: str, group: str) -> RequestMode | None:
        """Return what was set, or None."""
        return self._modes.get((topic, group))

    def put(self, mode: RequestMode) -> None:
        """Set one, durably. RequestRefused when it can't be written; then nothing is changed."""
        if len(self._modes) >= MAX_MODES and (mode.topic, mode.group) not in self._modes:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"there are {MAX_MODES} message request modes, no more fit")
        modes = {**self._modes, (mode.topic, mode.group): mode}
        try:
            self._file.save(_to_json(modes))
        except OSError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the mode can't be written: {error}") from error
        self._modes = modes

    def text(self) -> bytes:
        """Return the body of request 402."""
        return dumps(_to_json(self._modes))

    def take(self, text: bytes) -> None:
        """Make the master's body of request 402 ours, durably. ProtocolError when it is none, OSError."""
        content = loads_trusted(text)
        if not isinstance(content.get(_TABLE), dict):
            raise ProtocolError(f"the master's answer has no {_TABLE}")
        before = self._modes
        self._take(content)
        if self._modes != before:
            self._file.save(_to_json(self._modes))


def _objects(table: dict[Any, Any]) -> list[dict[Any, Any]]:
    return [dict_of(table, key) for key in table]


def _to_json(modes: dict[tuple[str, str], RequestMode]) -> dict[str, Any]:
    table: dict[str, dict[str, Any]] = {}
    for mode in modes.values():
        table.setdefault(mode.topic, {})[mode.group] = mode.to_json()
    return {_TABLE: table}
