"""What accounts may do, as plain ACL files say it (acl plain/PlainAccessResource, common/Permission).

globalWhiteRemoteAddresses: [10.0.0.*]         these hosts may do everything, unsigned
accounts:
  - accessKey: alice-key                       7 characters or more, as the secret
    secretKey: ...
    whiteRemoteAddress: 10.0.1.*               from here it needs no signature and may do everything
    admin: false
    defaultTopicPerm: DENY                     of what topicPerms and groupPerms don't name
    defaultGroupPerm: SUB
    topicPerms: ["orders=PUB|SUB"]
    groupPerms: ["billing=SUB"]
dataVersion: [{counter: 3, timestamp: 1700000000000}]
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.broker.acl.addresses import WhiteList
from broker_py.errors import ConfigError, ProtocolError
from broker_py.model.data_version import DataVersion

DENY: Final = 1
ANY: Final = 2
PUB: Final = 4
SUB: Final = 8
_PERMISSIONS: Final = {"DENY": DENY, "PUB": PUB, "SUB": SUB, "PUB|SUB": PUB | SUB, "SUB|PUB": PUB | SUB}
SHORTEST_KEY: Final = 7  # Java's constant is 6, and it refuses lengths up to it
_MAX_ACCOUNTS: Final = 10_000
_MAX_TEXT: Final = 4096
_MAX_ITEMS: Final = 100_000


@dataclass(frozen=True)
class Need:
    """One permission that a request must have: `permission` of a topic, or of a group when `is_group`."""

    name: str
    permission: int
    is_group: bool = False

    def __str__(self) -> str:
        return f"{'group' if self.is_group else 'topic'}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class Account:
    """One account; its text form leaves the secret out."""

    access_key: str
    secret_key: str = field(repr=False)
    white_text: str
    white: WhiteList
    admin: bool
    default_topic: int
    default_group: int
    topics: Mapping[str, int]
    groups: Mapping[str, int]

    def missing(self, needs: Iterable[Need]) -> Need | None:
        """Return the first permission that this account has not, None when it has all."""
        if self.admin and not self.topics and not self.groups:
            return None
        for need in needs:
            if need.is_group:
                owned = self.groups.get(need.name, self.default_group)
            else:
                owned = self.topics.get(need.name, self.default_topic)
            if not allows(owned, need.permission):
                return need
        return None


@dataclass(frozen=True)
class RuleFile:
    """What one file says."""

    path: str
    white_texts: tuple[str, ...]
    white: WhiteList
    accounts: tuple[Account, ...]
    version: DataVersion


class Rules:
    """What all files say together. An access key that is in more than one of them counts in the first."""

    def __init__(self, files: Iterable[RuleFile]) -> None:
        self.files = tuple(files)
        self.accounts: dict[str, Account] = {}
        self.home: dict[str, str] = {}  # access key → path of its file
        self.warnings: list[str] = []
        for file in self.files:
            for account in file.accounts:
                if account.access_key in self.accounts:
                    self.warnings.append(f"{file.path}: the access key {account.access_key} is there already; not used")
                    continue
                self.accounts[account.access_key] = account
                self.home[account.access_key] = file.path

    def is_white(self, host: str) -> bool:
        """True for an address that may do everything."""
        return any(file.white.matches(host) for file in self.files)


def allows(owned: int, needed: int) -> bool:
    """True when who owns one permission has the other."""
    if owned & DENY:
        return False
    if needed & ANY:
        return owned & (PUB | SUB) != 0
    return owned & needed != 0


def parse_rules(data: Any, path: str) -> RuleFile:
    """Return what a file's content means; ConfigError says which part of it means nothing, and never a secret."""
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: it is no mapping with globalWhiteRemoteAddresses and accounts")
    whites = tuple(_texts(data, "globalWhiteRemoteAddresses", path))
    entries = _list(data, "accounts", path)
    if len(entries) > _MAX_ACCOUNTS:
        raise ConfigError(f"{path}: {len(entries)} accounts; {_MAX_ACCOUNTS} are allowed")
    accounts = tuple(_account(entry, f"{path}: account {number}") for number, entry in enumerate(entries, 1))
    try:
        white = WhiteList(whites)
    except ConfigError as error:
        raise ConfigError(f"{path}: globalWhiteRemoteAddresses: {error}") from None
    return RuleFile(path, whites, white, accounts, version_of(data, path))


def version_of(data: dict[Any, Any], path: str) -> DataVersion:
    """Return the version that tools have written into a file."""
    versions = _list(data, "dataVersion", path)
    if not versions:
        return DataVersion()
    if not isinstance(versions[0], dict):
        raise ConfigError(f"{path}: dataVersion is no list of mappings")
    try:
        return DataVersion.from_json(versions[0])
    except ProtocolError as error:
        raise ConfigError(f"{path}: dataVersion: {error}") from None


def permission_of(text: str | None) -> int:
    """Return a permission; none at all, and what is none, is DENY, as in Java."""
    return _PERMISSIONS.get((text or "").strip(), DENY)


def check_permission(text: str, where: str) -> None:
    """Refuse a text that is no permission; ConfigError."""
    if text.strip() not in _PERMISSIONS:
        raise ConfigError(f"{where} is '{text[:64]}', not one of {', '.join(_PERMISSIONS)}")


def _account(entry: Any, where: str) -> Account:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is no mapping")
    access_key = _text(entry, "accessKey", where)
    secret_key = _text(entry, "secretKey", where)
    if len(access_key) < SHORTEST_KEY or access_key != access_key.strip():
        raise ConfigError(f"{where}: its accessKey must have {SHORTEST_KEY} characters or more, without blanks around")
    where = f"{where} ({access_key[:100]})"
    if len(secret_key) < SHORTEST_KEY:
        raise ConfigError(f"{where}: its secretKey must have {SHORTEST_KEY} characters or more")
    white_text = _text(entry, "whiteRemoteAddress", where)
    try:
        white = WhiteList([white_text])
    except ConfigError as error:
        raise ConfigError(f"{where}: whiteRemoteAddress: {error}") from None
    return Account(
        access_key=access_key,
        secret_key=secret_key,
        white_text=white_text,
        white=white,
        admin=_truth(entry, "admin", where),
        default_topic=permission_of(_text(entry, "defaultTopicPerm", where)),
        default_group=permission_of(_text(entry, "defaultGroupPerm", where)),
        topics=_permissions(entry, "topicPerms", where),
        groups=_permissions(entry, "groupPerms", where),
    )


def _permissions(entry: dict[Any, Any], name: str, where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for text in _texts(entry, name, where):
        resource, equals, permission = text.partition("=")
        if not equals or "=" in permission or not resource.strip():
            raise ConfigError(f"{where}: {name} has '{text[:100]}', which is not NAME=PERMISSION")
        found[resource.strip()] = permission_of(permission)
    return found


def _text(entry: dict[Any, Any], name: str, where: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ConfigError(f"{where}: {name} is no text; put it in quotes")
    text = str(value)
    if len(text) > _MAX_TEXT:
        raise ConfigError(f"{where}: {name} has {len(text)} characters; {_MAX_TEXT} are allowed")
    return text


def _truth(entry: dict[Any, Any], name: str, where: str) -> bool:
    value = entry.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ConfigError(f"{where}: {name} is neither true nor false")


def _list(entry: dict[Any, Any], name: str, where: str) -> list[Any]:
    value = entry.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(f"{where}: {name} is no list")
    if len(value) > _MAX_ITEMS:
        raise ConfigError(f"{where}: {name} has {len(value)} items; {_MAX_ITEMS} are allowed")
    return value


def _texts(entry: dict[Any, Any], name: str, where: str) -> list[str]:
    items = _list(entry, name, where)
    for item in items:
        if item is not None and (isinstance(item, bool) or not isinstance(item, (str, int))):
            raise ConfigError(f"{where}: {name} has an item that is no text; put it in quotes")
        if len(str(item)) > _MAX_TEXT:
            raise ConfigError(f"{where}: {name} has an item of more than {_MAX_TEXT} characters")
    return [str(item) for item in items if item is not None]
