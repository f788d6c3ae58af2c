"""Where a group stands: at the brokers, or, for broadcasting, in a file (client consumer/store/*OffsetStore)."""

import asyncio
import logging
from typing import Final, Protocol

from broker_py.client.queue_reader import QueueReader
from broker_py.errors import BrokerPyError, ProtocolError
from broker_py.model.fields import dict_of
from broker_py.model.message_queue import MessageQueue
from broker_py.seams import FileSystem, read_file, replace_file
from broker_py.wire.fastjson import dumps, loads_object

log = logging.getLogger(__name__)

PERSIST_SECONDS: Final = 5.0


class Offsets(Protocol):
    """A group's offsets in queues; each is of the first message that is not consumed."""

    async def read(self, queue: MessageQueue) -> int | None:
        """Return where the group stands; None when it was never there. Raises BrokerPyError."""
        ...

    async def write(self, offsets: dict[MessageQueue, int]) -> None:
        """Say where the group stands; failures are logged, since the next time says it again."""


class BrokerOffsets:
    """Offsets that the brokers keep. What was written before is not written again."""

    def __init__(self, queues: QueueReader, group: str) -> None:
        self._queues = queues
        self._group = group
        self._written: dict[MessageQueue, int] = {}

    async def read(self, queue: MessageQueue) -> int | None:
        """Ask the broker."""
        self._written.pop(queue, None)
        return await self._queues.committed_offset(self._group, queue)

    async def write(self, offsets: dict[MessageQueue, int]) -> None:
        """Tell the brokers."""
        changed = [(queue, offset) for queue, offset in offsets.items() if self._written.get(queue) != offset]
        await asyncio.gather(*(self._write(queue, offset) for queue, offset in changed))

    async def _write(self, queue: MessageQueue, offset: int) -> None:
        try:
            await self._queues.commit_offset(self._group, queue, offset)
            self._written[queue] = offset
        except BrokerPyError as error:
            log.warning("the offset %d of group %s in %s is not committed: %s", offset, self._group, queue, error)


class FileOffsets:
    """Offsets in `<directory>/<ip>@DEFAULT/<group>/offsets.json`, as Java's LocalFileOffsetStore writes them.

    A copy of the last content is kept behind `.bak`, and read when the file can't be.
    """

    def __init__(self, files: FileSystem, directory: str, ip: str, group: str) -> None:
        self._files = files
        self._directory = f"{directory}/{ip}@DEFAULT/{group}"
        self._path = f"{self._directory}/offsets.json"
        self._offsets: dict[MessageQueue, int] | None = None

    async def read(self, queue: MessageQueue) -> int | None:
        """Look into the file, read once."""
        if self._offsets is None:
            self._offsets = await asyncio.get_running_loop().run_in_executor(None, self._load)
        return self._offsets.get(queue)

    async def write(self, offsets: dict[MessageQueue, int]) -> None:
        """Make the file say so too."""
        known = self._offsets or {}
        merged = {**known, **offsets}
        if merged == known:
            return
        self._offsets = merged
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._store, dict(merged))
        except OSError as error:
            log.error("%s can't be written: %s", self._path, error)

    def _load(self) -> dict[MessageQueue, int]:
        for path in (self._path, f"{self._path}.bak"):
            try:
                table = dict_of(loads_object(read_file(self._files, path)), "offsetTable")
                return {queue: int(offset) for queue, offset in table.items() if isinstance(queue, MessageQueue)}
            except FileNotFoundError:
                continue
            except (OSError, ProtocolError, ValueError) as error:
                log.error("%s can't be read: %s", path, error)
        return {}

    def _store(self, offsets: dict[MessageQueue, int]) -> None:
        self._files.make_dirs(self._directory)
        if self._files.exists(self._path):
            replace_file(self._files, f"{self._path}.bak", read_file(self._files, self._path))
        replace_file(self._files, self._path, dumps({"offsetTable": offsets}))
