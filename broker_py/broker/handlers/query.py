"""Finding messages by key: request 12 (broker processor/QueryMessageProcessor).

There is no key index in this store yet, so the topic's newest messages are looked through, queue by queue, in slices
between which other requests are served. How many is bounded; an operator who asks for a message of today finds it.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from broker_py.broker.topics import TopicTable
from broker_py.errors import RequestRefused
from broker_py.message.properties import KEYS, UNIQ_KEY, decode_properties
from broker_py.message.record import Record, decode_record
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.header import decode_header
from broker_py.wire.headers.pull import QueryMessageRequest

MAX_FOUND: Final = 64  # store MessageStoreConfig.maxMsgsNumBatch
MAX_LOOKED_AT: Final = 50_000
_BLOCK: Final = 32
_BLOCK_BYTES: Final = 1 << 20


class QueryHandler:
    """Looks for messages by their keys or their unique id."""

    def __init__(self, store: Store, topics: TopicTable) -> None:
        self._store = store
        self._topics = topics

    def register(self, router: Router) -> None:
        """Serve the request."""
        router.on_command(RequestCode.QUERY_MESSAGE, self.handle)

    async def handle(self, command: Command, _peer: Peer) -> Reply:
        """Return the stored messages of a topic that have a key and were stored in a span of time."""
        request = decode_header(QueryMessageRequest, command.ext)
        topic = self._topics.require(request.topic)
        wanted = max(1, min(request.max_num, MAX_FOUND))
        queues = max(topic.read_queue_nums, topic.write_queue_nums)
        found: list[memoryview] = []
        newest = (0, 0)
        budget = MAX_LOOKED_AT
        for queue_id in range(queues):
            block_end = self._store.max_offset(request.topic, queue_id)
            share = max(_BLOCK, budget // (queues - queue_id))
            while block_end > self._store.min_offset(request.topic, queue_id) and share > 0 and len(found) < wanted:
                block_start = max(self._store.min_offset(request.topic, queue_id), block_end - _BLOCK)
                for record, data in self._records(request.topic, queue_id, block_start, block_end):
                    newest = max(newest, (record.stored_ms, record.log_offset))
                    if request.begin_timestamp <= record.stored_ms <= request.end_timestamp and _has_key(
                        record, request.key, request.unique
                    ):
                        found.append(data)
                share -= block_end - block_start
                budget -= block_end - block_start
                block_end = block_start
                await asyncio.sleep(0)
        if not found:
            raise RequestRefused(
                ResponseCode.QUERY_NOT_FOUND,
                f"can not find message, maybe time range not correct: none of the {MAX_LOOKED_AT - budget} newest "
                f"messages of {request.topic} has the key {request.key[:128]}",
            )
        ext = {"indexLastUpdateTimestamp": str(newest[0]), "indexLastUpdatePhyoffset": str(newest[1])}
        return Reply(ext=ext, body=found[:wanted])

    def _records(self, topic: str, queue_id: int, start: int, end: int) -> Iterator[tuple[Record, memoryview]]:
        """Yield the stored messages of a queue with their bytes."""
        while start < end:
            result = self._store.get(topic, queue_id, start, end - start, _BLOCK_BYTES)
            for chunk in result.chunks:
                view = memoryview(chunk)
                position = 0
                while position < len(view):
                    record = decode_record(view, position)
                    yield record, view[position : position + record.size]
                    position += record.size
            if result.next_offset <= start:
                return
            start = result.next_offset


def _has_key(record: Record, key: str, unique: bool) -> bool:
    properties = decode_properties(record.properties)
    if properties.get(UNIQ_KEY) == key:
        return True
    return not unique and key in properties.get(KEYS, "").split()
