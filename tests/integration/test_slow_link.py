"""The link that fault runs put between two brokers."""

import asyncio

import pytest

from tests.support.ports import free_port
from tests.support.slow_link import SlowLink


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


async def test_a_link_passes_bytes_on_and_can_be_slow_held_and_cut() -> None:
    port, target_port = free_port(), free_port()
    server = await asyncio.start_server(echo, "127.0.0.1", target_port)
    async with SlowLink(port, target_port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = bytes(range(256)) * 400
        link.delay_seconds, link.bytes_per_second = 0.02, 10e6
        loop = asyncio.get_running_loop()
        began = loop.time()
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
        assert loop.time() - began >= 2 * link.delay_seconds + len(sent) / link.bytes_per_second
        link.restore()
        link.hold()
        passed = link.bytes_passed
        writer.write(b"held")
        waiting = asyncio.ensure_future(reader.readexactly(4))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        assert link.bytes_passed == passed
        link.restore()
        assert await waiting == b"held"
        link.cut()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
    server.close()
    await server.wait_closed()
