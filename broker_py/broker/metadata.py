"""Tables kept as JSON files in the store's config directory, in RocketMQ's forms (common ConfigManager).

A table is written whole: to a temporary file that is forced and renamed, with the former content kept as `.bak`.
"""

import logging
from collections.abc import Callable
from typing import Any, Final

from broker_py.errors import ProtocolError, StoreError
from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.store.directories import make_durable_directory
from broker_py.wire.fastjson import dumps, loads_trusted

BACKUP: Final = ".bak"
log = logging.getLogger(__name__)


class MetadataFile:
    """One JSON file: `topics.json`, `consumerOffset.json`, `subscriptionGroup.json`, ..."""

    def __init__(self, files: FileSystem, directory: str, name: str) -> None:
        self._files = files
        self._directory = directory
        self.path = f"{directory}/{name}"

    def load(self, take: Callable[[dict[Any, Any]], None]) -> None:
        """Hand the content to `take`: that of the backup when the file is missing or broken, {} when there is neither.

        A file is broken, too, when it is empty, as a crash leaves one that a Java broker was writing, or when `take`
        says so by a ProtocolError. StoreError when no sound one is left: starting empty would forget what they held.
        """
        faults: list[str] = []
        for path in (self.path, self.path + BACKUP):
            try:
                data = read_file(self._files, path)
            except FileNotFoundError:
                continue
            except OSError as error:
                faults.append(f"{path}: {error}")
                continue
            try:
                if not data.strip():
                    raise ProtocolError("it is empty")
                take(loads_trusted(data))
            except ProtocolError as error:
                faults.append(f"{path}: {error}")
                continue
            if path != self.path:
                self._restore(data, faults or [f"{self.path} is missing"])
            return
        if faults:
            raise StoreError(
                f"{self.path} can't be read, and starting without it would forget what it held: {'; '.join(faults)}: "
                "give back a copy of it, or remove both to begin anew"
            )
        take({})

    def _restore(self, data: bytes, faults: list[str]) -> None:
        """Put the backup in the broken file's place: the next `save` must not make the broken one the backup."""
        log.warning("%s was taken, since the file is broken: %s", self.path + BACKUP, "; ".join(faults))
        replace_file(self._files, self.path, data)

    def save(self, content: dict[str, Any]) -> None:
        """Make `content` durable; OSError leaves the former content in place."""
        self.save_text(dumps(content))

    def text(self) -> bytes | None:
        """Return the file as it is, None when there is none. OSError."""
        try:
            return read_file(self._files, self.path)
        except FileNotFoundError:
            return None

    def save_text(self, text: bytes) -> None:
        """Make a text durable as it is; OSError leaves the former content in place."""
        make_durable_directory(self._files, self._directory)
        if self._files.exists(self.path):
            replace_file(self._files, self.path + BACKUP, read_file(self._files, self.path))
        replace_file(self._files, self.path, text)
