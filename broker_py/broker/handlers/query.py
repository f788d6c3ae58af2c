"""Finding messages by key: request 12 (broker processor/QueryMessageProcessor)."""

import asyncio
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.header import decode_header
from broker_py.wire.headers.pull import QueryMessageRequest

_SEARCHES_AT_ONCE: Final = 2
"""Each takes a thread, and processor time from the loop's; others wait."""


class QueryHandler:
    """Looks for messages by their keys or their unique id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = asyncio.Semaphore(_SEARCHES_AT_ONCE)

    def register(self, router: Router) -> None:
        """Serve the request."""
        router.on_command(RequestCode.QUERY_MESSAGE, self.handle)

    async def handle(self, command: Command, _peer: Peer) -> Reply:
        """Return the newest stored messages of a topic that have a key and were stored in a span of time."""
        request = decode_header(QueryMessageRequest, command.ext)
        config = self._store.config
        count = config.default_query_max_num if request.unique else request.max_num
        count = max(1, min(count, config.max_msgs_num_batch))
        async with self._turn:
            search = self._store.search(
                request.topic,
                request.key,
                request.begin_timestamp,
                request.end_timestamp,
                count,
                unique=request.unique,
            )
            stored_ms, log_offset = self._store.newest_indexed()
            try:
                found = await asyncio.to_thread(search.run)
            except OSError as error:
                raise RequestRefused(ResponseCode.SYSTEM_ERROR, f"the index can't be read: {error}") from error
        if not found:
            raise RequestRefused(ResponseCode.QUERY_NOT_FOUND, self._not_found(request, config))
        ext = {"indexLastUpdateTimestamp": str(stored_ms), "indexLastUpdatePhyoffset": str(log_offset)}
        return Reply(ext=ext, body=found)

    def _not_found(self, request: QueryMessageRequest, config: StoreConfig) -> str:
        if not config.message_index_enable:
            return "can not find message: messageIndexEnable is false on this broker"
        remark = f"can not find message, maybe time range not correct: none of {request.topic} has {request.key[:128]}"
        lag = self._store.index_lag_bytes
        return f"{remark}; the index is not complete yet, {lag} bytes of the log are left to read" if lag else remark
