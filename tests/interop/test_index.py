"""The key index opposite RocketMQ's: the same bytes for the same log, and either broker finds by the other's files."""

import shutil
from pathlib import Path

import pytest

from broker_py.message.ids import pack_host
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from tests.interop.java import MixedCluster, why_not
from tests.support.cluster import Daemon, until
from tests.support.direct import Direct

JAVA_SECONDS = 60.0
SLOTS, ENTRIES = 50, 40
GEOMETRY = {"messageIndexEnable": "true", "maxHashSlotNum": SLOTS, "maxIndexNum": ENTRIES}
TOPIC = "T"
# T#Aa and T#BB hash alike; T#DVgcafb has the hash -2^31, which has no positive.
KEYS = ["order-1", "Aa", "BB", "Aa BB", "order-1  two ", "DVgcafb", "Schlüssel 😀", "a b c d e f g", ""]

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(240),
]


async def fill(direct: Direct, broker: Daemon, life: str, count: int = 60) -> None:
    """Send messages whose keys and unique ids say in which life of the store they came."""
    for number in range(count):
        properties = {"KEYS": f"{KEYS[number % len(KEYS)]} {life}".strip(), "UNIQ_KEY": f"{life}-{number}"}
        sent = await direct.send(broker.address, TOPIC, f"{life} {number}".encode(), number % 4, properties)
        assert sent.code == 0


async def found(direct: Direct, broker: Daemon, key: str, *, unique: bool = False) -> list[bytes]:
    """Return the bodies of what is found by a key."""
    return [message.body for message in await direct.query(broker.address, TOPIC, key, unique=unique)]


def index_files(store: Path) -> list[bytes]:
    """Return the content of the index files, by age: their names are the times at which they were made."""
    return [file.read_bytes() for file in sorted(store.glob("index/*"))]


async def ended(direct: Direct, broker: Daemon, life: str, count: int = 60) -> None:
    """Wait until the last message of a life is found: a Java broker indexes a moment after it has answered."""

    async def is_found() -> bool:
        return await found(direct, broker, f"{life}-{count - 1}", unique=True) != []

    await until(is_found, "the last message is found", JAVA_SECONDS)


async def test_our_index_files_of_a_java_broker_s_log_are_its_own_byte_for_byte(
    cluster: MixedCluster, tmp_path: Path
) -> None:
    java = cluster.java_broker(**GEOMETRY)
    await java.start()
    async with Direct() as direct:
        await fill(direct, java, "java")
        await ended(direct, java, "java")
    await java.stop()
    expected = index_files(java.store)
    assert len(expected) > 3
    copy = tmp_path / "copy"
    shutil.copytree(java.store / "commitlog", copy / "commitlog")
    config = StoreConfig(
        store_path_root_dir=str(copy),
        mapped_file_size_commit_log=1 << 20,
        max_hash_slot_num=SLOTS,
        max_index_num=ENTRIES,
        message_index_safe=True,
    )
    store = Store(config, DiskFiles(), SystemClock(), pack_host("127.0.0.1", 10911))
    store.load()
    store.close()
    assert index_files(copy) == expected


@pytest.mark.parametrize("end", ["stopped", "killed"])
@pytest.mark.parametrize("first", ["ours", "java"])
async def test_messages_are_found_by_the_index_that_the_other_kind_left(
    cluster: MixedCluster, first: str, end: str
) -> None:
    ours, java = cluster.broker(**GEOMETRY), cluster.java_broker("broker-b", **GEOMETRY)
    java.properties["storePathRootDir"] = ours.properties["storePathRootDir"]
    before, after = (ours, java) if first == "ours" else (java, ours)
    async with Direct() as direct:
        await before.start()
        await fill(direct, before, "first")
        await ended(direct, before, "first")
        if end == "killed":
            before.kill()
        else:
            await before.stop()
        left = index_files(ours.store)
        await after.start()
        assert await found(direct, after, "first-17", unique=True) == [b"first 17"]
        assert b"first 1" in await found(direct, after, "Aa")
        await fill(direct, after, "second")
        await ended(direct, after, "second")
        await after.stop()
        full = left[:-1]
        assert index_files(ours.store)[: len(full)] == full, "full files are taken as they are"
        await before.start()
        for life in ("first", "second"):
            for number in (0, 23, 59):
                assert await found(direct, before, f"{life}-{number}", unique=True) == [f"{life} {number}".encode()]
        await before.stop()
