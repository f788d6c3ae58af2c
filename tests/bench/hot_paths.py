"""What the hot paths cost, in microseconds an operation: `make bench`.

Each figure is the best of several rounds, since a busy machine only ever makes a round slower. Run it before and
after a change to one of these paths, and put both into the change.
"""

import shutil
import tempfile
from collections.abc import Callable
from time import perf_counter

from broker_py.message.properties import encode_properties
from broker_py.message.record import Message, body_crc, encode_record
from broker_py.message.tags import tags_code
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.store.config import StoreConfig
from broker_py.store.index import MessageIndex
from broker_py.store.store import Store
from broker_py.wire.command import TYPE_BINARY, TYPE_JSON, Command
from broker_py.wire.frame import FrameDecoder, encode_command, encode_frame
from broker_py.wire.headers.send import SendRequest, decode_send

ROUNDS = 7
HOST = bytes((127, 0, 0, 1, 0, 0, 0x2A, 0x9F))
PROPERTIES = {"UNIQ_KEY": "7F0000010C0A1B2C3D4E5F607182930A", "WAIT": "true", "TAGS": "TagA"}
BODY = b"x" * 100


def measure(name: str, operations: int, work: Callable[[], object]) -> None:
    """Print the microseconds of one of the `operations` that `work` does."""
    best = min(_seconds(work) for _ in range(ROUNDS))
    print(f"{name:52} {best / operations * 1e6:8.2f} us")


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def message(queue_id: int) -> Message:
    """A message of 100 bytes as the send handler makes it."""
    return Message("TopicTest", queue_id, 0, 0, 1, HOST, BODY, encode_properties(PROPERTIES), tags_code("TagA"))


def wire() -> None:
    """Frames and headers."""
    text = encode_properties(PROPERTIES).decode()
    header = SendRequest("group", "TopicTest", 2, born_timestamp=1_700_000_000_000, properties=text)
    for kind, name in ((TYPE_JSON, "JSON"), (TYPE_BINARY, "ROCKETMQ")):
        frames = encode_command(Command(310, header.to_ext(), BODY, serialize_type=kind)) * 8
        decoder = FrameDecoder()

        def decode(decoder: FrameDecoder = decoder, frames: bytes = frames) -> None:
            for _ in range(500):
                decoder.receive_data(frames)

        measure(f"decode a send request, {name} header", 4000, decode)
        command = decoder.receive_data(frames)[0]
        measure(f"read its fields, {name} header", 4000, lambda: [decode_send(command) for _ in range(4000)])  # noqa: B023
        ext = {"msgId": "7F00000100002A9F0000000000001A2B", "queueId": "2", "queueOffset": "1234", "TRACE_ON": "true"}
        measure(
            f"encode its reply, {name} header",
            4000,
            lambda: [encode_frame(0, 1, 7, None, ext, 0, kind, 3, 433) for _ in range(4000)],  # noqa: B023
        )


def store() -> None:
    """Append, dispatch and read, on real files."""
    one = message(0)
    crc = body_crc(BODY)
    measure("encode a record", 4000, lambda: [encode_record(one, crc, 1, 1, 1, HOST) for _ in range(4000)])
    root = tempfile.mkdtemp(prefix="hot-paths-")
    try:
        opened = Store(StoreConfig(store_path_root_dir=root), DiskFiles(), SystemClock(), HOST)
        opened.load()
        for batch in (1, 8, 32):

            def append(batch: int = batch) -> None:
                for number in range(4096 // batch):
                    for _ in range(batch):
                        opened.append(message(number % 8))
                    opened.commit()

            measure(f"append and commit, batches of {batch}", 4096, append)
        began = opened.dispatched.value
        span = opened.written.value - began
        count = ROUNDS * 3 * 4096
        start = perf_counter()
        opened.dispatch(began + span)
        print(f"{'dispatch a message':52} {(perf_counter() - start) / count * 1e6:8.2f} us")
        end = opened.max_offset("TopicTest", 0)
        measure("get 32 messages", 200, lambda: [opened.get("TopicTest", 0, end - 32, 32, 1 << 18) for _ in range(200)])
        opened.close()
    finally:
        shutil.rmtree(root)


def index() -> None:
    """Take the unique ids of one client into the index, and write them to a file."""
    root = tempfile.mkdtemp(prefix="hot-paths-")
    try:
        opened = MessageIndex(StoreConfig(store_path_root_dir=root), DiskFiles(), SystemClock())
        unique = "7F0000010C0A1B2C3D4E5F60"
        messages = [encode_properties({**PROPERTIES, "UNIQ_KEY": f"{unique}{number:08X}"}) for number in range(16384)]

        def take() -> None:
            for properties in messages:
                opened.take("TopicTest", properties, 0, opened.position, opened.position + 1, 1_700_000_000_000)

        def write() -> None:
            work = opened.start_write(opened.position)
            work.run()
            opened.finish_write(work)

        measure("take a message's id into the index", len(messages), take)
        waiting = opened.waiting
        start = perf_counter()
        write()
        print(f"{'write it to an index file':52} {(perf_counter() - start) / waiting * 1e6:8.2f} us")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    wire()
    store()
    index()
