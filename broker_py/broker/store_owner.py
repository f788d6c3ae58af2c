"""Whose store this is: a file beside the log, which Java leaves alone.

    <storePathRootDir>/owner.json   {"brokerClusterName":"DefaultCluster","brokerName":"broker-a"}

A broker that is given the store of another one would serve that one's messages as its own, and put its own between
them. Master and slave of one name have the same owner: they hold the same log, and one may become the other.
"""

import logging
from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.errors import ConfigError, ProtocolError
from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.wire.fastjson import dumps, loads_trusted

OWNER_FILE: Final = "owner.json"
log = logging.getLogger(__name__)


class StoreOwner:
    """The owner of the store in `directory`, opposite the broker that is about to use it."""

    def __init__(self, files: FileSystem, directory: str, config: BrokerConfig) -> None:
        self._files = files
        self._directory = directory
        self._path = f"{directory}/{OWNER_FILE}"
        self._wanted = {"brokerClusterName": config.broker_cluster_name, "brokerName": config.broker_name}

    def fault(self) -> str | None:
        """Return whose the store is, and what to do, if it is another broker's."""
        try:
            found = self._read()
        except (OSError, ProtocolError) as error:
            return f"{self._path} does not say whose the store is ({error}): repair or remove it"
        if found in (None, self._wanted):
            return None
        return (
            f"the store {self._directory} belongs to {_name(found)}, and this is {_name(self._wanted)}: "
            f"set storePathRootDir, or remove {self._path} to hand the store over"
        )

    def check(self) -> None:
        """Refuse the store of another broker: ConfigError."""
        fault = self.fault()
        if fault is not None:
            raise ConfigError(fault)

    def claim(self) -> None:
        """Write down, durably, whose the store is, unless that is known. The caller has the store's lock.

        A full disk does not keep a broker from starting, which may be what frees it: the next start writes the file.
        """
        try:
            if not self._files.exists(self._path):
                replace_file(self._files, self._path, dumps(self._wanted))
        except OSError as error:
            log.warning("%s can't be written: %s", self._path, error)

    def _read(self) -> dict[str, str] | None:
        """Return what the file says; None for a store without one: a new one, an older one, or one of Java's."""
        try:
            content = loads_trusted(read_file(self._files, self._path))
        except FileNotFoundError:
            return None
        return {name: str(content.get(name, "")) for name in self._wanted}


def _name(owner: dict[str, str]) -> str:
    return f"broker {owner['brokerName']} of cluster {owner['brokerClusterName']}"
