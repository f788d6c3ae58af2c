"""The consumer groups this broker knows (broker subscription/SubscriptionGroupManager)."""

import logging
import re
from collections.abc import Iterator
from typing import Any, Final

from broker_py.broker.config import BrokerConfig
from broker_py.broker.metadata import MetadataFile
from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.model.fields import dict_of
from broker_py.model.group import PREDEFINED_GROUPS, SYSTEM_GROUP_PREFIX, GroupConfig
from broker_py.model.topic import RETRY_PREFIX
from broker_py.seams import Clock
from broker_py.wire.codes import ResponseCode

# A retry topic's name may have 255 bytes. Java's clients allow 255 for the group, and then can't send back.
MAX_GROUP_CHARS: Final = 255 - len(RETRY_PREFIX)
# Groups that clients make by using them; tools may make more.
MAX_BY_CLIENTS: Final = 50_000
_READ: Final = 1 << 2  # a bit of the forbidden table (common constant/PermName.INDEX_PERM_READ)
_LEGAL_NAME: Final = re.compile(r"[%|a-zA-Z0-9_-]+")
log = logging.getLogger(__name__)


def group_name_fault(group: str) -> str | None:
    """Return what is wrong with a group's name, or None (client Validators.checkGroup)."""
    if not 0 < len(group) <= MAX_GROUP_CHARS:
        return f"a group's name has 1 to {MAX_GROUP_CHARS} characters, not {len(group)}"
    if _LEGAL_NAME.fullmatch(group) is None:
        return f"the group's name {group!r} contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
    return None


class GroupTable:
    """Group → settings, kept in subscriptionGroup.json."""

    def __init__(self, config: BrokerConfig, file: MetadataFile, clock: Clock) -> None:
        self._config = config
        self._file = file
        self._clock = clock
        self._groups: dict[str, GroupConfig] = {}
        self._forbidden: dict[str, dict[str, int]] = {}  # group → topic → what it may not do
        self.version = DataVersion()

    def load(self) -> None:
        """Read the file and add the groups that every broker has."""
        self._file.load(self._take)
        missing = [group for group in PREDEFINED_GROUPS if group not in self._groups]
        if missing:
            self._keep({**self._groups, **{group: GroupConfig(group_name=group) for group in missing}})

    def __iter__(self) -> Iterator[GroupConfig]:
        return iter(self._groups.values())

    def get(self, group: str) -> GroupConfig | None:
        """Return a group's settings, or None; nothing is made."""
        return self._groups.get(group)

    def require(self, group: str) -> GroupConfig:
        """Return a group's settings, made with defaults where that is allowed; else RequestRefused.

        One that can't be written is kept in memory.
        """
        found = self._groups.get(group)
        if found is not None:
            return found
        fault = group_name_fault(group)
        if fault is not None:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, fault)
        if not (self._config.auto_create_subscription_group or group.startswith(SYSTEM_GROUP_PREFIX)):
            raise RequestRefused(
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, f"subscription group [{group}] does not exist"
            )
        if len(self._groups) >= MAX_BY_CLIENTS:
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR, f"there are {len(self._groups)} groups; more can only be made by tools"
            )
        found = GroupConfig(group_name=group)
        try:
            self.put(found)
        except RequestRefused as refusal:
            # Nothing is lost with it, as the next start makes it with the same defaults; and reading goes on, also for
            # new groups, when a disk is full.
            log.warning("group %s is kept in memory only: %s", group, refusal.remark)
            self._groups = {**self._groups, group: found}
        return found

    def put(self, group: GroupConfig) -> None:
        """Make or change a group, durably. RequestRefused when it can't be written; then nothing is changed."""
        self._keep({**self._groups, group.group_name: group})

    def remove(self, group: str) -> None:
        """Forget a group, durably. RequestRefused when that can't be written; then it is still there."""
        if group in self._groups:
            forbidden = {name: topics for name, topics in self._forbidden.items() if name != group}
            self._keep({name: kept for name, kept in self._groups.items() if name != group}, forbidden=forbidden)

    def may_read(self, group: str, topic: str) -> bool:
        """False when a group was forbidden to read a topic."""
        topics = self._forbidden.get(group)
        return topics is None or not _bits(topics.get(topic)) & _READ

    def allow_reading(self, group: str, topic: str, allowed: bool) -> None:
        """Forbid a group to read a topic, or allow it again, durably. RequestRefused when that can't be written."""
        if self.may_read(group, topic) == allowed:
            return
        topics = dict(self._forbidden.get(group, {}))
        topics[topic] = _bits(topics.get(topic)) ^ _READ
        topics = {name: bits for name, bits in topics.items() if bits}
        forbidden = {name: kept for name, kept in self._forbidden.items() if name != group}
        self._keep(self._groups, forbidden={**forbidden, group: topics} if topics else forbidden)

    def replace_all(self, content: dict[Any, Any]) -> None:
        """Take the master's table over: the body of request 201. RequestRefused as for `put`."""
        version = DataVersion.from_json(dict_of(content, "dataVersion"))
        self._keep(_groups_of(content), version, _forbidden_of(content))

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def _take(self, content: dict[Any, Any]) -> None:
        self._groups = _groups_of(content)
        self._forbidden = _forbidden_of(content)
        self.version = DataVersion.from_json(dict_of(content, "dataVersion"))

    def _keep(
        self,
        groups: dict[str, GroupConfig],
        version: DataVersion | None = None,
        forbidden: dict[str, dict[str, int]] | None = None,
    ) -> None:
        """Make a table durable, and only then ours: a restart must not forget what was answered."""
        version = version or self.version.next(self._clock.now_ms())
        forbidden = self._forbidden if forbidden is None else forbidden
        try:
            self._file.save(_to_file(groups, version, forbidden))
        except OSError as error:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the groups can't be written: {error}") from error
        self._groups = groups
        self.version = version
        self._forbidden = forbidden

    def to_json(self) -> dict[str, Any]:
        """Return the content of the file, which is also the body of request 201."""
        return _to_file(self._groups, self.version, self._forbidden)


def _to_file(
    groups: dict[str, GroupConfig], version: DataVersion, forbidden: dict[str, dict[str, int]]
) -> dict[str, Any]:
    return {
        "dataVersion": version.to_json(),
        "forbiddenTable": forbidden,
        "subscriptionGroupTable": {name: groups[name].to_json() for name in sorted(groups)},
    }


def _groups_of(content: dict[Any, Any]) -> dict[str, GroupConfig]:
    table = dict_of(content, "subscriptionGroupTable")
    return {str(name): GroupConfig.from_json({**dict_of(table, name), "groupName": str(name)}) for name in table}


def _forbidden_of(content: dict[Any, Any]) -> dict[str, dict[str, int]]:
    table = dict_of(content, "forbiddenTable")
    return {
        group: {topic: bits for topic, bits in topics.items() if isinstance(bits, int)}
        for group, topics in table.items()
        if isinstance(topics, dict)
    }


def _bits(value: int | None) -> int:
    return value if value is not None and value > 0 else 0
