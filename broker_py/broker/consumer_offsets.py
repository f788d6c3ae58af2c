"""Where the groups stand in the queues (broker offset/ConsumerOffsetManager)."""

from collections.abc import Iterator
from typing import Any

from broker_py.broker.metadata import MetadataFile
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of, int_of
from broker_py.seams import Clock

SEPARATOR = "@"


class ConsumerOffsetTable:
    """(topic, group) → queue id → next offset to consume, kept in consumerOffset.json.

    Commits change memory only; `save` is called every few seconds and does nothing when nothing changed, so a
    crash makes a group see some messages again and never miss one.
    """

    def __init__(self, file: MetadataFile, clock: Clock, version_step: int = 500) -> None:
        self._file = file
        self._clock = clock
        self._version_step = version_step
        self._offsets: dict[tuple[str, str], dict[int, int]] = {}
        self._pulled: dict[tuple[str, str], dict[int, int]] = {}
        self._commits = 0
        self._dirty = False
        self.version = DataVersion()

    def load(self) -> None:
        """Read the file."""
        self._file.load(self._take)

    def offset(self, group: str, topic: str, queue_id: int) -> int:
        """Return the committed offset, or -1."""
        queues = self._offsets.get((topic, group))
        return -1 if queues is None else queues.get(queue_id, -1)

    def commit(self, group: str, topic: str, queue_id: int, queue_offset: int) -> None:
        """Note where a group stands; going back is allowed."""
        queues = self._offsets.get((topic, group))
        if queues is None:
            queues = self._offsets[topic, group] = {}
        if queues.get(queue_id) != queue_offset:
            queues[queue_id] = queue_offset
            self._dirty = True
        self._commits += 1
        if self._commits % self._version_step == 0:
            self.version = self.version.next(self._clock.now_ms())

    def pulled(self, group: str, topic: str, queue_id: int, queue_offset: int) -> None:
        """Note up to where a group has fetched, which tools show."""
        queues = self._pulled.get((topic, group))
        if queues is None:
            queues = self._pulled[topic, group] = {}
        queues[queue_id] = queue_offset

    def pulled_offset(self, group: str, topic: str, queue_id: int) -> int:
        """Return up to where a group has fetched, or -1."""
        return self._pulled.get((topic, group), {}).get(queue_id, -1)

    def groups_of(self, topic: str) -> set[str]:
        """The groups that have offsets in a topic."""
        return {group for owner, group in self._offsets if owner == topic}

    def topics_of(self, group: str) -> set[str]:
        """The topics that a group has offsets in."""
        return {topic for topic, owner in self._offsets if owner == group}

    def __iter__(self) -> Iterator[tuple[str, str, dict[int, int]]]:
        """Yield (topic, group, queue id → offset)."""
        for (topic, group), queues in self._offsets.items():
            yield topic, group, queues

    def remove_topic(self, topic: str) -> None:
        """Forget the offsets in a topic."""
        self._remove({key for key in (*self._offsets, *self._pulled) if key[0] == topic})

    def remove_group(self, group: str) -> None:
        """Forget the offsets of a group."""
        self._remove({key for key in (*self._offsets, *self._pulled) if key[1] == group})

    def _remove(self, keys: set[tuple[str, str]]) -> None:
        for key in keys:
            self._offsets.pop(key, None)
            self._pulled.pop(key, None)
        self._dirty = self._dirty or bool(keys)

    def merge(self, content: dict[Any, Any]) -> None:
        """Take the master's offsets over: the body of request 43. What it lacks stays."""
        table = _decode(content)
        for key, queues in table.items():
            mine = self._offsets.setdefault(key, {})
            if any(mine.get(queue_id) != offset for queue_id, offset in queues.items()):
                mine.update(queues)
                self._dirty = True
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))

    def save(self) -> None:
        """Make the offsets durable if any changed; OSError: they are not, and a later call tries again."""
        if self._dirty:
            self._file.save(self.to_json())
            self._dirty = False

    def _take(self, content: dict[Any, Any]) -> None:
        self._offsets = _decode(content)
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file, which is also the body of request 43."""
        return {
            "dataVersion": self.version.to_json(),
            "offsetTable": {
                f"{topic}{SEPARATOR}{group}": dict(queues) for (topic, group), queues in self._offsets.items()
            },
        }


def _decode(content: dict[Any, Any]) -> dict[tuple[str, str], dict[int, int]]:
    offsets: dict[tuple[str, str], dict[int, int]] = {}
    table = dict_of(content, "offsetTable")
    for key in table:
        queues = dict_of(table, key)
        topic, separator, group = str(key).partition(SEPARATOR)
        if separator:
            offsets[topic, group] = {
                int_of({"queue id": queue_id}, "queue id"): int_of(queues, queue_id) for queue_id in queues
            }
    return offsets
