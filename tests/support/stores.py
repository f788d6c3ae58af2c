"""Messages and stores as tests want them: short to write, small files."""

from broker_py.message.ids import pack_host
from broker_py.message.record import Message
from broker_py.message.tags import tags_code
from broker_py.seams import FileSystem
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from tests.support.clock import ManualClock

STORE_HOST = pack_host("192.168.56.11", 10911)
BORN_HOST = pack_host("192.168.56.1", 50000)
SMALL = StoreConfig(
    store_path_root_dir="/store",
    mapped_file_size_commit_log=4096,
    mapped_file_size_consume_queue=200,
    max_hash_slot_num=10,
    max_index_num=20,
)


def a_message(
    body: bytes = b"hello", topic: str = "T", queue_id: int = 0, tag: str = "", sys_flag: int = 0, extra: bytes = b""
) -> Message:
    """A message that carries a tag if one is given; `extra` are further encoded properties."""
    properties = b"TAGS\x01" + tag.encode() if tag else b""
    if extra:
        properties = properties + b"\x02" + extra if properties else extra
    return Message(topic, queue_id, 0, sys_flag, 1_700_000_000_000, BORN_HOST, body, properties, tags_code(tag))


def a_store(files: FileSystem, config: StoreConfig = SMALL, clock: ManualClock | None = None) -> Store:
    """A store, loaded."""
    store = Store(config, files, clock or ManualClock(), STORE_HOST)
    store.load()
    return store
