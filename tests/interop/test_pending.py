"""Messages that wait in a store when a broker of the other kind gets it: delivered at their time, each once.

    first broker takes some ─► second takes some ─► first again, until all are delivered

Delay levels, times, and messages that were given back; half messages; popped ones that nobody acknowledged.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest

from broker_py.admin.replication import replication_status
from broker_py.wire.codes import RequestCode
from broker_py.wire.fastjson import loads_object
from tests.interop.java import MixedCluster, why_not
from tests.interop.pending import Change, Delivery, JavaProgram, by_key
from tests.interop.shared_store import BROKER, JAVA_SECONDS, SharedStore
from tests.support.cluster import PATIENCE, Daemon, until
from tests.support.direct import Direct

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(600 * PATIENCE),
]

TOPIC: Final = "Later"
PLAIN: Final = "Plain"
POPPED: Final = "Popped"
RETRY_TOPIC: Final = "%RETRY%readers"
LEVELS: Final = (1000, 6000, 12_000, 20_000, 30_000)
_LEVEL_TEXT: Final = " ".join(f"{wait // 1000}s" for wait in LEVELS)
COUNT: Final = 50
IN_ORDER: Final = 24  # a pop gets at most 32, and the next one nothing of their queues
BACK: Final = 12
BACK_LEVEL: Final = 4
NEVER: Final = {1, 3}
CHECK_MS: Final = 6000
INVISIBLE_MS: Final = int(20_000 * PATIENCE)  # the other broker is to be there before it is up
_MARKS_SECONDS: Final = 4.0  # what is decided is written down in batches, every 3 s
_REVIVE_MS: Final = int(15_000 * PATIENCE)  # a Java broker takes some seconds more
# A Java broker notes only so often how far it is; what it delivered since then comes again when it was killed.
_NOTED_MS: Final = 3000
_COPIED_MS: Final = {"ours": 5000, "java": 65_000}  # and a slave copies it every 2 s, or a minute
_NOTES: Final = {"flushDelayOffsetInterval": 1000, "timerFlushIntervalMs": 500, "flushConsumerOffsetInterval": 1000}


@pytest.fixture
def shared(cluster: MixedCluster) -> SharedStore:
    return SharedStore(cluster, **_NOTES, messageDelayLevel=_LEVEL_TEXT)


def now_ms() -> int:
    """The time as messages say it."""
    return time.time_ns() // 1_000_000


async def leave(client: JavaProgram, run: str) -> None:
    """Leave messages that are due in 1 to 30 seconds."""
    await client.does("leveled", TOPIC, run, COUNT, ",".join(map(str, LEVELS)))
    await client.does("timed", TOPIC, run, COUNT, 1000, 30_000)
    await client.does("back", PLAIN, "readers", run, BACK, BACK_LEVEL)


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("first", ["ours", "java"])
async def test_what_waits_is_delivered_at_its_time_by_whoever_has_the_store(
    shared: SharedStore, tmp_path: Path, first: str, how: str
) -> None:
    one, other = shared.in_turn(first)
    await shared.start(one)
    await shared.make_topics(one, TOPIC, PLAIN)
    changes: list[Change] = []

    async def change(before: Daemon, after: Daemon) -> None:
        await asyncio.sleep(3)
        began = now_ms()
        await shared.end(before, how)
        await shared.start(after)
        changes.append(Change(began, now_ms(), _NOTED_MS if how == "killed" else 0))

    async with JavaProgram.running("Pending", tmp_path / "client", shared.nameserver.address, BROKER) as client:
        await leave(client, "first")
        await change(one, other)
        await leave(client, "second")
        await change(other, one)
        await leave(client, "third")
    deliveries = await delivered(one, "first", "second", "third")
    assert [fault for delivery in deliveries for fault in delivery.faults(changes)] == []


@pytest.mark.parametrize("master", ["ours", "java"])
async def test_a_slave_of_the_other_kind_that_becomes_the_master_delivers_what_waits(
    cluster: MixedCluster, tmp_path: Path, master: str
) -> None:
    nameserver = cluster.nameserver()
    makers = {"ours": cluster.broker, "java": cluster.java_broker}
    properties = {**_NOTES, "messageDelayLevel": _LEVEL_TEXT, "timerWheelEnable": "true"}
    before = makers.pop(master)(BROKER, 0, **properties)
    ((kind, make),) = makers.items()
    after = make(BROKER, 1, **properties)
    await nameserver.start()
    await before.start()
    async with Direct() as direct:
        for topic in (TOPIC, PLAIN, RETRY_TOPIC):  # before the slave starts: one of Java's asks once a minute
            await direct.make_topic(before.address, topic)
        await after.start()

        async def has_topics() -> bool:
            body = (await direct.tell(after.address, RequestCode.GET_ALL_TOPIC_CONFIG)).body
            return {TOPIC, RETRY_TOPIC} <= set(loads_object(body)["topicConfigTable"])

        await until(has_topics, "the slave has the topics", JAVA_SECONDS)
        async with JavaProgram.running("Pending", tmp_path / "client", nameserver.address, BROKER) as client:
            await leave(client, "run")

        async def level() -> bool:
            tables = [
                loads_object((await direct.tell(broker.address, RequestCode.GET_BROKER_RUNTIME_INFO)).body)["table"]
                for broker in (before, after)
            ]
            return bool(tables[0]["commitLogMaxOffset"] == tables[1]["commitLogMaxOffset"])

        await until(level, "the slave has the master's log", JAVA_SECONDS)
        async with cluster.client() as tools:
            if kind == "ours":
                (status,) = (await replication_status(tools, address=after.address)).values()
                assert status.fault == ""
        began = now_ms()
        before.kill()
        await after.stop()
        after.properties |= {"brokerRole": "ASYNC_MASTER", "brokerId": 0}
        await after.start()
        changes = [Change(began, now_ms(), _COPIED_MS[kind])]
        deliveries = await delivered(after, "run")
    assert [fault for delivery in deliveries for fault in delivery.faults(changes)] == []


async def delivered(broker: Daemon, *runs: str) -> list[Delivery]:
    """Return what was left in some runs, when all of it has come."""
    wanted = {f"{run}-{kind}-{number}" for run in runs for kind in ("leveled", "timed") for number in range(COUNT)}
    backs = {f"{run}-back-{number}" for run in runs for number in range(BACK)}
    async with Direct() as direct:

        async def complete() -> bool:
            found, back = await by_key(direct, broker, TOPIC), await by_key(direct, broker, RETRY_TOPIC, 1)
            return found.keys() >= wanted and back.keys() >= backs

        await until(complete, "all is delivered", JAVA_SECONDS)
        await asyncio.sleep(3)  # what comes twice may come later
        found, back = await by_key(direct, broker, TOPIC), await by_key(direct, broker, RETRY_TOPIC, 1)
    assert set(found) == wanted
    assert set(back) == backs
    assert {message.reconsume_times for messages in back.values() for message in messages} == {1}
    return [Delivery(key, messages, int(messages[0].properties["due"])) for key, messages in found.items()] + [
        Delivery(key, messages, messages[0].born_ms + LEVELS[BACK_LEVEL - 1]) for key, messages in back.items()
    ]


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("first", ["ours", "java"])
async def test_half_messages_become_whole_or_nothing_at_whoever_has_the_store(
    shared: SharedStore, tmp_path: Path, first: str, how: str
) -> None:
    one, other = shared.in_turn(first)
    one.properties |= {"transactionCheckInterval": 3_600_000}
    other.properties |= {"transactionCheckInterval": CHECK_MS, "transactionTimeOut": 1000}
    await shared.start(one)
    await shared.make_topics(one, TOPIC)
    async with JavaProgram.running("Pending", tmp_path / "client", shared.nameserver.address, BROKER) as client:
        await client.does("half", TOPIC, "run", COUNT)
        await asyncio.sleep(_MARKS_SECONDS)
        await shared.end(one, how)
        await shared.start(other)
        await client.does("end")
        wanted = {f"run-half-{number}": 1 for number in range(COUNT) if number % 5 not in NEVER}
        async with Direct() as direct:

            async def complete() -> bool:
                return (await by_key(direct, other, TOPIC)).keys() >= wanted.keys()

            await until(complete, "all that was committed is delivered", JAVA_SECONDS)
            await asyncio.sleep(1.5 * CHECK_MS / 1000)  # what is asked about once more comes once more
            found = await by_key(direct, other, TOPIC)
    assert {key: len(messages) for key, messages in found.items()} == wanted


async def pop_at_one_and_drain_at_the_other(
    shared: SharedStore, directory: Path, first: str, how: str, *, in_order: bool
) -> tuple[dict[str, int], list[tuple[str, int, int]]]:
    """Pop messages; return when those come back that nobody acknowledged, and what came: key, times before, time."""
    one, other = shared.in_turn(first)
    await shared.start(one)
    await shared.make_topics(one, POPPED)
    places = (shared.nameserver.address, BROKER, one.address, POPPED, "poppers", str(in_order).lower())
    async with JavaProgram.running("Popping", directory, *places) as client:
        count = IN_ORDER if in_order else COUNT
        popped = await client.does("pop", "run", count, INVISIBLE_MS)
        file = "consumerOrderInfo.json" if in_order else "consumerOffset.json"
        await until(lambda: saved(shared.ours.store / "config" / file, count), "what is popped is saved", JAVA_SECONDS)
        await shared.end(one, how)
        await shared.start(other)
        await client.does("settle")
        drained = await client.does("drain", INVISIBLE_MS + _REVIVE_MS)
    assert len(popped) == count
    back = {key: int(due_ms) for _, key, fate, due_ms in popped if fate in {"left", "changed"}}
    return back, [(key, int(times), int(at_ms)) for _, key, times, at_ms in drained]


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("first", ["ours", "java"])
async def test_popped_messages_come_back_unless_they_are_acknowledged_at_whoever_has_the_store(
    shared: SharedStore, tmp_path: Path, first: str, how: str
) -> None:
    back, drained = await pop_at_one_and_drain_at_the_other(shared, tmp_path / "client", first, how, in_order=False)
    assert sorted(key for key, _, _ in drained) == sorted(back)
    assert {times for _, times, _ in drained} == {1}
    assert [key for key, _, at_ms in drained if at_ms < back[key]] == []


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("first", ["ours", "java"])
async def test_a_queue_that_is_popped_in_order_gives_nothing_before_its_time_at_whoever_has_the_store(
    shared: SharedStore, tmp_path: Path, first: str, how: str
) -> None:
    back, drained = await pop_at_one_and_drain_at_the_other(shared, tmp_path / "client", first, how, in_order=True)
    assert back.keys() <= {key for key, _, _ in drained}, "with them comes what was popped behind them"
    assert min(at_ms for _, _, at_ms in drained) >= min(back.values())
    assert [key for key, _, at_ms in drained if at_ms < back.get(key, 0)] == []


async def saved(path: Path, count: int) -> bool:
    """True when the file of a table has so many messages: a killed broker has no other place for it."""
    table = loads_object(path.read_bytes()) if path.exists() else {}
    if path.name == "consumerOffset.json":
        return bool(sum(table.get("offsetTable", {}).get(f"{POPPED}@poppers", {}).values()) == count)
    queues = table.get("table", {}).get(f"{POPPED}@poppers", {}).values()
    return bool(sum(len(queue["o"]) for queue in queues) == count)
