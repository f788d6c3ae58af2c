"""Values that tools keep at the name server, above all the order of topics. In a file: `{"configTable":{ns:{k:v}}}`.

Source: namesrv kvconfig/KVConfigManager.
"""

from typing import Final

from broker_py.errors import ConfigError, ProtocolError, RequestRefused
from broker_py.model.fields import dict_of
from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.wire.codes import ResponseCode
from broker_py.wire.fastjson import dumps, loads_trusted

ORDER_TOPIC_CONFIG: Final = "ORDER_TOPIC_CONFIG"

_Table = dict[str, dict[str, str]]


class KvConfig:
    """Namespace → key → value, on disk before a change is answered."""

    def __init__(self, files: FileSystem, path: str) -> None:
        self._files = files
        self._path = path
        self._table: _Table = {}

    def load(self) -> None:
        """Read the file, if there is one; ConfigError when it is not what we or Java wrote."""
        try:
            data = read_file(self._files, self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"kvConfigPath: {self._path} can't be read: {error.strerror or error}") from None
        try:
            table = dict_of(loads_trusted(data), "configTable")
            self._table = {str(name): _values(table, name) for name in table}
        except ProtocolError as error:
            raise ConfigError(f"kvConfigPath: {self._path} is damaged ({error}); repair it or move it away") from None

    def get(self, namespace: str, key: str) -> str | None:
        """Return a value."""
        return self._table.get(namespace, {}).get(key)

    def values(self, namespace: str) -> dict[str, str] | None:
        """Return all values of a namespace; None when it never had any."""
        return self._table.get(namespace)

    def put(self, namespace: str, key: str, value: str) -> None:
        """Keep a value; RequestRefused when it can't be written."""
        self._replace(self._table | {namespace: {**self._table.get(namespace, {}), key: value}})

    def delete(self, namespace: str, key: str) -> None:
        """Forget a value, if there is one; its namespace stays."""
        if self.get(namespace, key) is not None:
            rest = {name: value for name, value in self._table[namespace].items() if name != key}
            self._replace(self._table | {namespace: rest})

    def _replace(self, table: _Table) -> None:
        try:
            self._files.make_dirs(self._path.rpartition("/")[0])
            replace_file(self._files, self._path, dumps({"configTable": table}))
        except OSError as error:
            remark = f"the KV table can't be written to {self._path}: {error.strerror or error}"
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, remark) from None
        self._table = table


def _values(table: dict[str, object], namespace: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict_of(table, namespace).items()}
