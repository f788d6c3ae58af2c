"""The consumer groups this broker knows (broker subscription/SubscriptionGroupManager)."""

from collections.abc import Iterator
from typing import Any, Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of
from broker_py.model.group import PREDEFINED_GROUPS, SYSTEM_GROUP_PREFIX, GroupConfig
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode

MAX_GROUP_CHARS: Final = 255


class GroupTable:
    """Group → settings, kept in subscriptionGroup.json."""

    def __init__(self, config: BrokerConfig, file: MetadataFile, clock: Clock) -> None:
        self._config = config
        self._file = file
        self._clock = clock
        self._groups: dict[str, GroupConfig] = {}
        self._forbidden: dict[str, Any] = {}
        self.version = DataVersion()

    def load(self) -> None:
        """Read the file and add the groups that every broker has."""
        content = self._file.load()
        self._take(content)
        missing = [group for group in PREDEFINED_GROUPS if group not in self._groups]
        for group in missing:
            self._groups[group] = GroupConfig(group_name=group)
        if missing:
            self._changed()

    def __iter__(self) -> Iterator[GroupConfig]:
        return iter(self._groups.values())

    def get(self, group: str) -> GroupConfig | None:
        """Return a group's settings, or None; nothing is made."""
        return self._groups.get(group)

    def require(self, group: str) -> GroupConfig:
        """Return a group's settings, made with defaults where that is allowed; else RequestRefused."""
        found = self._groups.get(group)
        if found is not None:
            return found
        if not group or len(group) > MAX_GROUP_CHARS:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"a group's name has 1 to {MAX_GROUP_CHARS} characters, not {len(group)}"
            )
        if not (self._config.auto_create_subscription_group or group.startswith(SYSTEM_GROUP_PREFIX)):
            raise RequestRefused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group [{group}] does not exist"
            )
        found = GroupConfig(group_name=group)
        self.put(found)
        return found

    def put(self, group: GroupConfig) -> None:
        """Make or change a group, durably."""
        self._groups[group.group_name] = group
        self._changed()

    def remove(self, group: str) -> None:
        """Forget a group, durably."""
        if self._groups.pop(group, None) is not None:
            self._changed()

    def replace_all(self, content: dict[str, Any]) -> None:
        """Take the master's table over: the body of request 201."""
        self._take(content)
        self._file.save(self.to_json())

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def _take(self, content: dict[str, Any]) -> None:
        self._groups = {
            name: GroupConfig.from_json({**fields, "groupName": name})
            for name, fields in dict_of(content, "subscriptionGroupTable").items()
        }
        self._forbidden = dict_of(content, "forbiddenTable")
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))

    def _changed(self) -> None:
        self.version = self.version.next(self._clock.now_ms())
        self._file.save(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file, which is also the body of request 201."""
        return {
            "dataVersion": self.version.to_json(),
            "forbiddenTable": self._forbidden,
            "subscriptionGroupTable": {name: self._groups[name].to_json() for name in sorted(self._groups)},
        }
