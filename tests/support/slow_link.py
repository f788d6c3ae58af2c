"""A TCP link that is slow, stands still or breaks: a proxy on loopback, as not every kernel can delay packets."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

_CHUNK_BYTES: Final = 16 * 1024
_CHUNKS_UNDER_WAY: Final = 64
_LOOPBACK: Final = "127.0.0.1"


class SlowLink:
    """Listens on `port` and passes on to `target_port`, both ways. The settings hold from one chunk to the next.

    `delay_seconds` is how long bytes are under way in each direction, `bytes_per_second` what leaves it at most.
    """

    def __init__(self, port: int, target_port: int) -> None:
        self.address = f"{_LOOPBACK}:{port}"
        self.delay_seconds = 0.0
        self.bytes_per_second = float("inf")
        self.bytes_passed = 0
        self._port = port
        self._target_port = target_port
        self._passable = asyncio.Event()
        self._passable.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "SlowLink":
        self._server = await asyncio.start_server(self._accept, _LOOPBACK, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def restore(self) -> None:
        """Be as fast as loopback, and whole."""
        self.delay_seconds, self.bytes_per_second = 0.0, float("inf")
        self._passable.set()

    def hold(self) -> None:
        """Pass nothing on until `restore`; the connections stay open."""
        self._passable.clear()

    def cut(self) -> None:
        """Break all connections, with what is under way in them; new ones may be made at once."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._passable.wait()
            target_reader, target_writer = await asyncio.open_connection(_LOOPBACK, self._target_port)
        except OSError:
            self._drop(writer)
            return
        self._writers.add(target_writer)
        self._run(self._pass(reader, target_writer))
        self._run(self._pass(target_reader, writer))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Move bytes one way until either end closes, then close the other one."""
        loop = asyncio.get_running_loop()
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_UNDER_WAY)
        leaving = loop.create_task(self._leave(under_way, writer))
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await under_way.put((loop.time(), data))
            await under_way.put((loop.time(), b""))
            await leaving
        except OSError:
            pass
        finally:
            leaving.cancel()
            self._drop(writer)

    async def _leave(self, under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            came, data = await under_way.get()
            if not data:
                return
            await self._passable.wait()
            await asyncio.sleep(came + self.delay_seconds - loop.time())
            await asyncio.sleep(len(data) / self.bytes_per_second)
            try:
                writer.write(data)
                await writer.drain()
            except OSError:
                return
            self.bytes_passed += len(data)
