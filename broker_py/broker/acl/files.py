"""The plain ACL files of a broker: read as one, changed one at a time (acl plain/PlainPermissionManager).

`<directory>/plain_acl.yml`, and every .yml and .yaml below `<directory>/acl`. The disk may be slow and the parser is:
`service` has them used by a thread.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from broker_py.broker.acl.rules import Rules, check_permission, parse_rules, version_of
from broker_py.errors import ConfigError
from broker_py.seams import Clock, FileSystem, read_file, replace_file

MAIN_FILE: Final = "plain_acl.yml"
TOOLS_FILE: Final = "tools.yml"
_MAX_BYTES: Final = 1 << 20
_MAX_FILES: Final = 100
_MAX_DEPTH: Final = 5
# What replies have in a secret's place. It is too short to be one: who writes it back is refused.
MASK: Final = "******"

Content = dict[Any, Any]


@dataclass(frozen=True)
class Yaml:
    """The form of the files: `load(data, source)` raises ConfigError."""

    load: Callable[[bytes, str], Any]
    dump: Callable[[Any], bytes]


@dataclass(frozen=True, kw_only=True)
class AccountChange:
    """New values of an account, which is made if it is missing; None leaves what is there."""

    access_key: str
    secret_key: str | None
    white_address: str | None
    admin: bool
    default_topic: str | None
    default_group: str | None
    topics: list[str] | None
    groups: list[str] | None


class AclFiles:
    """The files below one directory."""

    def __init__(self, files: FileSystem, directory: str, yaml: Yaml, clock: Clock) -> None:
        self._files = files
        self._directory = directory
        self._yaml = yaml
        self._clock = clock
        self.main = f"{directory}/{MAIN_FILE}"

    def read(self) -> dict[str, bytes]:
        """Return the content of all files by path; ConfigError when one can't be read, or there is none."""
        found: dict[str, bytes] = {}
        for path in self._paths():
            found[path] = self._bytes_of(path)
        if not found:
            raise ConfigError(f"there is no {self.main}, and no file in {self._directory}/acl")
        return found

    def parse(self, contents: dict[str, bytes]) -> Rules:
        """Return the rules in what `read` found; ConfigError says what is wrong, and where."""
        return Rules(parse_rules(self._yaml.load(data, path), path) for path, data in contents.items())

    def put_account(self, rules: Rules, change: AccountChange) -> None:
        """Make an account or change it; ConfigError or OSError, and nothing is changed."""
        for name, text in (("defaultTopicPerm", change.default_topic), ("defaultGroupPerm", change.default_group)):
            if text:
                check_permission(text, name)
        for text in [*(change.topics or ()), *(change.groups or ())]:
            name, _, permission = text.partition("=")
            check_permission(permission, f"the permission of '{name[:100]}'")
        path = rules.home.get(change.access_key, self.main)
        content = self._content(path)
        accounts = _accounts(content, path)
        fields = next((entry for entry in accounts if _is(entry, change.access_key)), None)
        if fields is None:
            fields = {"accessKey": change.access_key}
            accounts.append(fields)
        fields["admin"] = change.admin
        if change.secret_key:
            fields["secretKey"] = change.secret_key
        if change.white_address is not None:
            fields["whiteRemoteAddress"] = change.white_address
        if change.default_topic:
            fields["defaultTopicPerm"] = change.default_topic
        if change.default_group:
            fields["defaultGroupPerm"] = change.default_group
        if change.topics is not None:
            fields["topicPerms"] = change.topics
        if change.groups is not None:
            fields["groupPerms"] = change.groups
        self._write(path, content)

    def delete_account(self, rules: Rules, access_key: str) -> None:
        """Remove an account; ConfigError when there is none, or OSError, and nothing is changed."""
        path = rules.home.get(access_key)
        if path is None:
            raise ConfigError(f"there is no account {access_key[:100]}")
        content = self._content(path)
        content["accounts"] = [entry for entry in _accounts(content, path) if not _is(entry, access_key)]
        self._write(path, content)

    def set_white_list(self, rules: Rules, patterns: list[str], path: str | None) -> None:
        """Replace the white list of a file, of the main one when none is named; ConfigError or OSError."""
        path = path or self.main
        if path != self.main and path not in {file.path for file in rules.files}:
            raise ConfigError(f"{path[:200]} is not one of the files with rules of this broker")
        content = self._content(path)
        content["globalWhiteRemoteAddresses"] = patterns
        self._write(path, content)

    def _write(self, path: str, content: Content) -> None:
        version = version_of(content, path).next(self._clock.now_ms())
        content["dataVersion"] = [{"counter": version.counter, "timestamp": version.timestamp}]
        data = self._yaml.dump(content)
        if len(data) > _MAX_BYTES:
            raise ConfigError(f"{path} would have {len(data)} bytes; {_MAX_BYTES} are allowed")
        parse_rules(self._yaml.load(data, path), path)
        replace_file(self._files, path, data, private=True)

    def _content(self, path: str) -> Content:
        if not self._files.exists(path):
            return {}
        content = self._yaml.load(self._bytes_of(path), path)
        parse_rules(content, path)
        return content or {}

    def _bytes_of(self, path: str) -> bytes:
        try:
            data = read_file(self._files, path)
        except OSError as error:
            raise ConfigError(f"{path} can't be read: {error.strerror or error}") from None
        if len(data) > _MAX_BYTES:
            raise ConfigError(f"{path} has {len(data)} bytes; {_MAX_BYTES} are allowed")
        return data

    def _paths(self) -> list[str]:
        paths = [self.main] if self._files.exists(self.main) else []
        for path in self._below(f"{self._directory}/acl", 0):
            paths.append(path)
            if len(paths) > _MAX_FILES:
                raise ConfigError(f"{self._directory}/acl has more than {_MAX_FILES} files")
        return paths

    def _below(self, directory: str, depth: int) -> Iterator[str]:
        for name in self._files.list_dir(directory):
            path = f"{directory}/{name}"
            if self._files.is_dir(path):
                if depth < _MAX_DEPTH:
                    yield from self._below(path, depth + 1)
            elif name.endswith((".yml", ".yaml")) and name != TOOLS_FILE:
                yield path


def _accounts(content: Content, path: str) -> list[Any]:
    accounts = content.setdefault("accounts", [])
    if accounts is None:
        accounts = content["accounts"] = []
    if not isinstance(accounts, list):
        raise ConfigError(f"{path}: accounts is no list")
    return accounts


def _is(entry: Any, access_key: str) -> bool:
    return isinstance(entry, dict) and str(entry.get("accessKey")) == access_key
