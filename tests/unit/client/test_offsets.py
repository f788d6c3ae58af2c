"""Offsets of broadcasting consumers, in a file."""

import asyncio

from broker_py.client.offsets import FileOffsets
from broker_py.model.message_queue import MessageQueue
from tests.support.memory_files import MemoryFiles

QUEUE = MessageQueue("T", "broker-a", 3)
PATH = "/home/10.0.0.9@DEFAULT/G/offsets.json"


def offsets(files: MemoryFiles) -> FileOffsets:
    return FileOffsets(files, "/home", "10.0.0.9", "G")


def put(files: MemoryFiles, path: str, data: bytes) -> None:
    file = files.open(path, create=True)
    file.truncate(0)
    file.pwrite(data, 0)
    file.close()


def test_what_is_written_is_read_by_the_next_process_in_javas_form() -> None:
    files = MemoryFiles()
    asyncio.run(offsets(files).write({QUEUE: 7}))
    file = files.open(PATH)
    assert file.pread(1000, 0) == b'{"offsetTable":{{"brokerName":"broker-a","queueId":3,"topic":"T"}:7}}'
    assert asyncio.run(offsets(files).read(QUEUE)) == 7
    assert asyncio.run(offsets(files).read(MessageQueue("T", "broker-a", 4))) is None


def test_a_damaged_file_is_replaced_by_its_copy() -> None:
    files = MemoryFiles()

    async def write_twice() -> None:
        kept = offsets(files)
        await kept.write({QUEUE: 7})
        await kept.write({QUEUE: 8})

    asyncio.run(write_twice())
    put(files, PATH, b"{")
    assert asyncio.run(offsets(files).read(QUEUE)) == 7
