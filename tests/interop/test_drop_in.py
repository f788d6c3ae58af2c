"""A store that goes from one kind of broker to the other and back: all in it stays what it was.

    first broker fills ─► second opens, equal, fills more ─► first opens again, equal

Everything is read with the official client: bodies, keys, tags, properties, queue and log offsets, the group's offsets.
"""

import asyncio
import hashlib
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import pytest

from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.interop.contents import SYSTEM_QUEUES, Contents, Held
from tests.interop.java import MixedCluster, why_not
from tests.interop.shared_store import BROKER, JAVA_SECONDS, SharedStore
from tests.support.cluster import PATIENCE, Daemon, until
from tests.support.direct import Direct

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(600 * PATIENCE),
]

TOPICS: Final = ("Orders", "Invoices", "Parcels")
QUEUES: Final = {**dict.fromkeys(TOPICS, 4), **SYSTEM_QUEUES}
PLAIN, DELAYED, HALF = 2_000, 40, 60
MORE: Final = 300
GROUP: Final = b'{"groupName":"readers","retryMaxTimes":5,"consumeTimeoutMinute":3}'
_SMALL: Final = {"mappedFileSizeConsumeQueue": 2_000}  # a hundred messages
_MARKS_SECONDS: Final = 4.0  # a Java broker gathers for 3 s what it marks as ended
# Nothing is delivered and nobody is asked about half messages by itself.
_CALM: Final = {"transactionCheckInterval": 3_600_000, "transactionTimeOut": 3_600_000}
# All delayed messages are due, and half ones asked about at once.
_HASTY: Final = {
    "transactionCheckInterval": 6_000,
    "transactionTimeOut": 1_000,
    "messageDelayLevel": " ".join(["1s"] * 18),
}
# Java's own, which we keep; its index and its timer's files are large and sparse.
_OURS: Final = ("owner.json", "queues.json")
_USED_BY_BOTH: Final = ("commitlog", "consumequeue", "checkpoint", "abort", "lock", "index", *_OURS)
_TABLES: Final = ("topics.json", "subscriptionGroup.json", "consumerOffset.json", "timercheck")


class Shared(SharedStore):
    """The store, and the client that says what it holds."""

    def __init__(self, cluster: MixedCluster, directory: Path) -> None:
        super().__init__(cluster, **_SMALL, **_CALM)
        self.contents = Contents(directory, self.nameserver.address)

    async def held(self) -> Held:
        """Return what the one that runs holds."""
        return await self.contents.held(BROKER, QUEUES)

    async def held_when_all_is_ended(self, in_topics: int) -> Held:
        """Return what it holds when there are so many messages in the topics, and no mark of an end comes any more."""
        last = [await self.held()]

        async def settled() -> Held | None:
            await asyncio.sleep(_MARKS_SECONDS)
            last.append(await self.held())
            arrived = sum(key[0] in TOPICS for key in last[-1].messages)
            return last[-1] if last[-1] == last[-2] and arrived == in_topics else None

        return await until(settled, f"{in_topics} messages are in the topics", JAVA_SECONDS)

    def kept(self) -> dict[str, str]:
        """Return digests of the files that are Java's alone."""
        digests: dict[str, str] = {}
        for path in sorted(self.ours.store.rglob("*")):
            parts = path.relative_to(self.ours.store).parts
            if path.is_file() and parts[0] not in _USED_BY_BOTH and not path.name.startswith(_TABLES):
                digests["/".join(parts)] = _digest(path)
        return digests


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


async def tables(broker: Daemon) -> dict[str, Any]:
    """Return topics and groups, without the versions: those of the groups begin anew in each life of a Java broker."""
    async with Direct() as direct:
        topics = loads_object((await direct.tell(broker.address, RequestCode.GET_ALL_TOPIC_CONFIG)).body)
        groups = loads_object((await direct.tell(broker.address, RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)).body)
    return {
        "topics": {name: topics["topicConfigTable"][name] for name in (*TOPICS, *SYSTEM_QUEUES)},
        "readers": groups["subscriptionGroupTable"]["readers"],
    }


async def prepare(shared: Shared, broker: Daemon) -> None:
    """Give a broker the topics and the group."""
    async with Direct() as direct:
        await direct.tell(broker.address, RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, body=GROUP)
    await shared.make_topics(broker, *TOPICS)


def continues(before: Held, after: Held, more: int) -> None:
    """Assert that all of `before` is unchanged in `after`, and that there are so many more messages, without a gap."""
    assert {place: after.messages.get(place) for place in before.messages} == before.messages
    assert len(after.messages) == len(before.messages) + more
    assert {queue: after.offsets[queue] for queue in before.offsets} == before.offsets
    ends: dict[tuple[str, int], int] = {}
    for topic, queue_id, queue_offset in sorted(after.messages):
        assert queue_offset == ends.get((topic, queue_id), 0)
        ends[topic, queue_id] = queue_offset + 1


@pytest.fixture
def shared(cluster: MixedCluster, tmp_path: Path) -> Shared:
    return Shared(cluster, tmp_path / "client")


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_javas_store_is_continued_by_ours_and_then_by_java(shared: Shared, how: str) -> None:
    contents, java, ours = shared.contents, shared.java, shared.ours
    await shared.start(java)
    await prepare(shared, java)
    await contents.fill("first", TOPICS, PLAIN, DELAYED, HALF)
    await contents.commit(BROKER, "Orders", 1, 77)
    at_java = await shared.held_when_all_is_ended(PLAIN + HALF // 3)
    topics = await tables(java)
    assert len([key for key in at_java.messages if key[0] == "SCHEDULE_TOPIC_XXXX"]) == DELAYED
    assert len([key for key in at_java.messages if key[0] == "RMQ_SYS_TRANS_HALF_TOPIC"]) == HALF
    assert len(list((ours.store / "commitlog").iterdir())) > 2
    await saved(ours.store, "Orders@readers")
    await shared.end(java, how)
    kept = shared.kept()
    assert {"config/delayOffset.json", "timerwheel"} <= kept.keys()

    await shared.start(ours)
    assert await shared.held() == at_java
    assert await tables(ours) == topics
    await contents.fill("second", TOPICS, MORE, DELAYED, HALF)
    at_ours = await shared.held_when_all_is_ended(PLAIN + MORE + 2 * (HALF // 3))
    continues(at_java, at_ours, MORE + DELAYED + HALF + HALF // 3 + marks(at_ours) - marks(at_java))
    await shared.end(ours, how)
    assert shared.kept() == kept

    await shared.start(java)
    assert await shared.held() == at_ours
    assert await tables(java) == topics
    await java.stop()

    # What the brokers had begun is ended: each delayed message comes once, and each half one that nobody had ended.
    # (More than once if it is asked about again before the mark of its end is stored.)
    java.properties.update(_HASTY)
    await shared.start(java)
    await contents.settle(20)
    at_end = await shared.held()
    assert {place: at_end.messages.get(place) for place in at_ours.messages} == at_ours.messages
    keys = at_end.keys(TOPICS)
    for run in ("first", "second"):
        assert [keys[f"{run}-delayed-{number}"] for number in range(DELAYED)] == [1] * DELAYED
        ends = [keys[f"{run}-half-{number}"] for number in range(HALF)]
        assert (min(ends[0::3]) >= 1, set(ends[1::3]), set(ends[2::3])) == (True, {1}, {0})


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_our_store_is_continued_by_java_and_then_by_ours(shared: Shared, how: str) -> None:
    contents, java, ours = shared.contents, shared.java, shared.ours
    await shared.start(ours)
    await prepare(shared, ours)
    await contents.fill("first", TOPICS, PLAIN, DELAYED, HALF)
    await contents.commit(BROKER, "Orders", 1, 77)
    at_ours = await shared.held_when_all_is_ended(PLAIN + HALF // 3)
    topics = await tables(ours)
    await saved(ours.store, "Orders@readers")
    await shared.end(ours, how)

    await shared.start(java)
    assert await shared.held() == at_ours
    assert await tables(java) == topics
    await contents.fill("second", TOPICS, MORE, DELAYED, HALF)
    at_java = await shared.held_when_all_is_ended(PLAIN + MORE + 2 * (HALF // 3))
    continues(at_ours, at_java, MORE + DELAYED + HALF + HALF // 3 + marks(at_java) - marks(at_ours))
    await shared.end(java, how)
    kept = shared.kept()

    await shared.start(ours)
    assert await shared.held() == at_java
    assert await tables(ours) == topics
    await shared.end(ours, how)
    assert shared.kept() == kept


def marks(held: Held) -> int:
    """Return how many messages say that half ones are ended."""
    return sum(topic == "RMQ_SYS_TRANS_OP_HALF_TOPIC" for topic, _, _ in held.messages)


def saved(store: Path, key: str) -> Awaitable[bool]:
    """Wait until a group's offsets are in their file: a killed broker has no other place for them."""

    async def is_there() -> bool:
        path = store / "config" / "consumerOffset.json"
        return path.exists() and key in path.read_text()

    return until(is_there, "the offsets are saved", JAVA_SECONDS)
