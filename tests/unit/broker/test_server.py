"""A whole broker, over sockets of this machine, on files in memory."""

import asyncio
import errno
import socket
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.broker.server import Broker
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.errors import ConfigError
from broker_py.remoting.config import ServerConfig
from broker_py.replication.config import ReplicationConfig
from broker_py.runtime.clock import SystemClock
from broker_py.store.config import FlushDiskType
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.headers.pull import PULL_SUBSCRIPTION, PULL_SUSPEND
from broker_py.wire.register_body import decode_register_body
from tests.support.memory_files import MemoryFiles
from tests.support.ports import BROKER_PORTS, free_port
from tests.support.remoting import RawClient, connect
from tests.unit.broker.name_server import MemoryNameServer
from tests.unit.broker.site import CONFIG, STORE, a_command, a_heartbeat, a_pull, a_send, bodies_of

WAIT = {"sysFlag": PULL_SUBSCRIPTION | PULL_SUSPEND, "suspendTimeoutMillis": 15_000}


def a_broker(
    files: MemoryFiles | None = None,
    *,
    store: dict[str, Any] | None = None,
    replication: ReplicationConfig | None = None,
    refusing: Callable[[str | None], None] = lambda _: None,
    **broker: Any,
) -> Broker:
    """A broker that is not started yet. Its topics are made by sending."""
    given = {"broker_ip1": "127.0.0.1", "listen_port": free_port(BROKER_PORTS), **broker}
    settings = BrokerSettings(
        broker=replace(CONFIG, **given),
        store=replace(STORE, **(store or {})),
        replication=replication or ReplicationConfig(),
        server=ServerConfig(bind_address="127.0.0.1"),
    )
    host = Host(files=files or MemoryFiles(), clock=SystemClock(), memory_bytes=1 << 30, pid=7, refusing=refusing)
    return Broker(settings, host, lambda: "", lambda _: None)


def port_of(broker: Broker) -> int:
    return broker._settings.broker.listen_port


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


def a_message(body: bytes = b"hello", **fields: Any) -> Command:
    return a_command(RequestCode.SEND_MESSAGE_V2, a_send(**fields), body)


def bodies(command: Command) -> list[bytes]:
    """The messages of a pull's answer."""
    return bodies_of(Reply(body=command.body))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


async def connected(*ports: int) -> list[RawClient]:
    return [await connect(port) for port in ports]


def test_a_message_sent_on_one_connection_wakes_a_pull_on_another_port() -> None:
    async def scenario() -> None:
        broker = a_broker()
        await broker.start()
        producer, consumer = await connected(port_of(broker), port_of(broker) - 2)
        assert (await producer.ask(a_message(b"first"))).code == 0
        consumer.send(a_command(RequestCode.PULL_MESSAGE, a_pull(queueOffset=1, **WAIT)))
        await until(lambda: broker.parked.count == 1)
        assert (await producer.ask(a_message(b"second"))).code == 0
        answer = await consumer.receive()
        assert answer is not None
        assert bodies(answer) == [b"second"]
        await broker.stop()

    play(scenario)


def test_a_restart_finds_what_was_sent_and_who_consumed_it() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files)
        await broker.start()
        (client,) = await connected(port_of(broker))
        await client.ask(a_message())
        ext = {"consumerGroup": "g", "topic": "T", "queueId": 0, "commitOffset": 1}
        assert (await client.ask(a_command(RequestCode.UPDATE_CONSUMER_OFFSET, ext))).code == 0
        await broker.stop()
        assert not files.exists("/store/abort")
        again = a_broker(files)
        await again.start()
        (client,) = await connected(port_of(again))
        assert bodies(await client.ask(a_command(RequestCode.PULL_MESSAGE, a_pull()))) == [b"hello"]
        assert again.tables.offsets.offset("g", "T", 0) == 1
        await again.stop()

    play(scenario)


def test_a_store_with_what_is_not_served_here_is_refused_before_anything_in_it_changes() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        files.make_dirs("/store/dledger-n0")
        before = files.dump()
        with pytest.raises(ConfigError, match="dledger-n0 is a log that DLedger keeps"):
            await a_broker(files).start()
        assert files.dump() == before

    play(scenario)


def test_a_broker_that_stops_answers_the_pulls_that_wait() -> None:
    async def scenario() -> None:
        broker = a_broker()
        await broker.start()
        (client,) = await connected(port_of(broker))
        await client.ask(a_message())
        client.send(a_command(RequestCode.PULL_MESSAGE, a_pull(queueOffset=1, **WAIT)))
        await until(lambda: broker.parked.count == 1)
        await broker.stop()
        answer = await client.receive()
        assert answer is not None
        assert answer.code == ResponseCode.PULL_NOT_FOUND
        assert await client.receive() is None

    play(scenario)


def test_with_synchronous_flush_a_send_is_answered_when_the_disk_has_it() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files, store={"flush_disk_type": FlushDiskType.SYNC_FLUSH})
        await broker.start()
        (client,) = await connected(port_of(broker))
        assert (await client.ask(a_message())).code == 0
        assert broker.store.flushed.value == broker.store.written.value > 0
        await broker.stop()

    play(scenario)


def test_a_disk_that_can_not_be_forced_acknowledges_nothing() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files, store={"flush_disk_type": FlushDiskType.SYNC_FLUSH})
        await broker.start()
        (client,) = await connected(port_of(broker))
        await client.ask(a_message())
        files.fail_sync_number = 1
        assert (await client.ask(a_message())).code == ResponseCode.SERVICE_NOT_AVAILABLE
        assert (await client.ask(a_message())).code == ResponseCode.SERVICE_NOT_AVAILABLE
        files.fail_sync_number = None
        await broker.stop()
        assert files.exists("/store/abort"), "the next start must recover as after a crash"

    play(scenario)


def perms(command: Command) -> set[int]:
    """The permissions that a registration tells of two topics."""
    topics = decode_register_body(command.body, compressed=False, version=433).topics
    return {topics[name].perm for name in ("T", "BenchmarkTest")} if "T" in topics else set()


def test_a_disk_that_can_not_be_forced_is_told_to_all_senders_routes_health_and_the_service_manager() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        told: list[str | None] = []
        name_server = await MemoryNameServer().start()
        broker = a_broker(
            files,
            store={"flush_disk_type": FlushDiskType.SYNC_FLUSH},
            namesrv_addr=(name_server.address,),
            refusing=told.append,
        )
        await broker.start()
        senders = await connected(*[port_of(broker)] * 5)
        assert (await senders[0].ask(a_message())).code == 0
        await name_server.wait_for(lambda: perms(name_server.told[-1]) == {6})
        files.fail_sync_number = 1
        for sender in senders:
            sender.send(a_message())
        for sender in senders:
            answer = await sender.receive()
            assert answer is not None
            assert answer.code == ResponseCode.SERVICE_NOT_AVAILABLE
            assert "could not be forced to disk" in (answer.remark or "")
        await name_server.wait_for(lambda: perms(name_server.told[-1]) == {4})
        assert [text for text in told if text is None or "restart the broker" not in text] == []
        assert len(told) == 1
        info = await senders[0].ask(a_command(RequestCode.GET_BROKER_RUNTIME_INFO))
        assert b"could not be forced to disk, restart the broker: [Errno 5]" in info.body
        await broker.stop()
        await name_server.stop()

    play(scenario)


def test_a_checkpoint_that_can_not_force_the_log_refuses_those_who_wait_for_a_slave() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(
            files,
            broker_role=BrokerRole.SYNC_MASTER,
            store={"flush_interval_commit_log": 3_600_000},
        )
        await broker.start()
        broker._replicas.acks.join(1, "10.0.0.2")
        (sender,) = await connected(port_of(broker))
        sender.send(a_message())
        await until(lambda: broker.acks.waiting == 1)
        files.fail_sync_number = 1
        broker._saving.checkpoint()
        answer = await sender.receive()
        assert answer is not None
        assert answer.code == ResponseCode.SERVICE_NOT_AVAILABLE
        await broker.stop()

    play(scenario)


# Starting


@pytest.mark.parametrize("distance", [0, -2])
def test_a_port_that_is_taken_refuses_the_start_before_anything_is_touched(distance: int) -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port_of(broker) + distance))
            taken.listen()
            with pytest.raises(ConfigError, match=str(port_of(broker) + distance)):
                await broker.start()
        assert files.dump() == {}

    play(scenario)


def test_a_start_that_fails_leaves_the_store_as_after_a_stop() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port_of(broker) + 1))
            taken.listen()
            with pytest.raises(ConfigError, match="haListenPort"):
                await broker.start()
        assert not files.exists("/store/abort")
        again = a_broker(files, listen_port=port_of(broker))
        await again.start()
        await again.stop()

    play(scenario)


def test_a_store_that_another_broker_has_refuses_the_start() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        first, second = a_broker(files), a_broker(files)
        await first.start()
        with pytest.raises(Exception, match="locked by another process"):
            await second.start()
        (client,) = await connected(port_of(first))
        assert (await client.ask(a_message())).code == 0
        await first.stop()

    play(scenario)


def test_settings_that_can_not_be_meant_together_make_no_broker() -> None:
    async def scenario() -> None:
        with pytest.raises(ConfigError, match="brokerRole is SLAVE and brokerId is 0"):
            a_broker(broker_role=BrokerRole.SLAVE)

    play(scenario)


def test_a_stop_on_a_full_disk_still_lets_go_of_the_store() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        broker = a_broker(files)
        await broker.start()
        broker.tables.offsets.commit("g", "T", 0, 1)
        files.fail_writes = errno.ENOSPC
        with pytest.raises(Exception, match=r"injected|full"):
            await broker.stop()
        files.fail_writes = None
        again = a_broker(files)
        await again.start()
        await again.stop()

    play(scenario)


# Clients


def test_members_are_told_when_another_one_comes_and_when_its_connection_is_lost() -> None:
    async def scenario() -> None:
        broker = a_broker()
        await broker.start()
        stays, goes = await connected(port_of(broker), port_of(broker))
        stays.send(a_command(RequestCode.HEART_BEAT, {}, a_heartbeat("g", "stays", {"T": "*"})))
        heard = [await stays.receive() for _ in range(2)]
        assert sorted(command.code for command in heard if command is not None) == [0, 40]
        goes.send(a_command(RequestCode.HEART_BEAT, {}, a_heartbeat("g", "goes", {"T": "*"})))
        told = await stays.receive()
        assert told is not None
        assert (told.code, told.ext, told.is_oneway) == (40, {"consumerGroup": "g"}, True)
        goes.close()
        told = await stays.receive()
        assert told is not None
        assert told.code == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED
        group = broker.consumers.get("g")
        assert group is not None
        assert group.client_ids() == ["stays"]
        await broker.stop()

    play(scenario)


def test_the_pulls_of_a_lost_connection_wait_no_more() -> None:
    async def scenario() -> None:
        broker = a_broker()
        await broker.start()
        producer, consumer = await connected(port_of(broker), port_of(broker))
        await producer.ask(a_message())
        consumer.send(a_command(RequestCode.PULL_MESSAGE, a_pull(queueOffset=1, **WAIT)))
        await until(lambda: broker.parked.count == 1)
        consumer.close()
        await until(lambda: broker.parked.count == 0)
        assert (await producer.ask(a_message())).code == 0
        await broker.stop()

    play(scenario)


# Name servers


def test_a_name_server_is_told_of_a_new_topic_and_of_the_end() -> None:
    async def scenario() -> None:
        name_server = await MemoryNameServer().start()
        broker = a_broker(namesrv_addr=(name_server.address,))
        await broker.start()
        await name_server.wait_for(lambda: bool(name_server.told))
        (client,) = await connected(port_of(broker))
        await client.ask(a_message(topic="New"))
        await name_server.wait_for(lambda: b'"New"' in name_server.told[-1].body)
        await broker.stop()
        assert name_server.told[-1].code == RequestCode.UNREGISTER_BROKER
        await name_server.stop()

    play(scenario)


def test_a_broker_that_can_not_write_offers_its_topics_for_reading_only_until_it_can() -> None:
    async def scenario() -> None:
        files = MemoryFiles()
        name_server = await MemoryNameServer().start()
        broker = a_broker(files, namesrv_addr=(name_server.address,))
        await broker.start()
        (client,) = await connected(port_of(broker))
        await client.ask(a_message())
        await name_server.wait_for(lambda: bool(name_server.told) and perms(name_server.told[-1]) == {6})
        files.fail_writes = errno.ENOSPC
        assert (await client.ask(a_message())).code == ResponseCode.SERVICE_NOT_AVAILABLE
        await name_server.wait_for(lambda: perms(name_server.told[-1]) == {4})
        files.fail_writes = None
        await name_server.wait_for(lambda: perms(name_server.told[-1]) == {6})
        assert (await client.ask(a_message())).code == 0
        await broker.stop()
        await name_server.stop()

    play(scenario)


def test_changed_properties_are_followed_by_all_that_they_concern() -> None:
    async def scenario() -> None:
        name_server = await MemoryNameServer().start()
        broker = a_broker(namesrv_addr=(name_server.address,))
        await broker.start()
        (client,) = await connected(port_of(broker))
        await client.ask(a_message())
        changed = replace(
            broker._settings,
            broker=replace(broker._settings.broker, broker_permission=2, auto_create_topic_enable=False),
            store=replace(broker._settings.store, max_message_size=4),
        )
        broker.configure(changed)
        assert (await client.ask(a_message())).code == ResponseCode.MESSAGE_ILLEGAL
        assert (await client.ask(a_message(b"x", topic="New"))).code == ResponseCode.TOPIC_NOT_EXIST
        assert (await client.ask(a_command(RequestCode.PULL_MESSAGE, a_pull()))).code == ResponseCode.NO_PERMISSION
        await name_server.wait_for(lambda: b'"perm":2,"readQueueNums":1024' in name_server.told[-1].body)
        await broker.stop()
        await name_server.stop()

    play(scenario)


# A master and its slave


def test_a_slave_found_by_its_name_server_has_what_the_master_has_and_serves_it() -> None:
    async def scenario() -> None:
        name_server = await MemoryNameServer().start()
        master = a_broker(broker_role=BrokerRole.SYNC_MASTER)
        await master.start()
        name_server.reply = Reply(
            ext={
                "masterAddr": f"127.0.0.1:{port_of(master)}",
                "haServerAddr": f"127.0.0.1:{port_of(master) + 1}",
            }
        )
        slave = a_broker(broker_role=BrokerRole.SLAVE, broker_id=1, namesrv_addr=(name_server.address,))
        await slave.start()
        producer, tool = await connected(port_of(master), port_of(slave))
        while (await producer.ask(a_message())).code != 0:
            await asyncio.sleep(0.01)
        sent = master.store.max_offset("T", 0)
        await until(lambda: slave.store.max_offset("T", 0) == sent)
        assert (await tool.ask(a_message())).code == ResponseCode.SERVICE_NOT_AVAILABLE
        await until(lambda: "T" in slave.tables.topics)
        assert len(bodies(await tool.ask(a_command(RequestCode.PULL_MESSAGE, a_pull())))) == min(sent, 32)
        status = await tool.ask(a_command(RequestCode.GET_BROKER_HA_STATUS))
        assert b'"activated":true' in status.body
        status = await producer.ask(a_command(RequestCode.GET_BROKER_HA_STATUS))
        assert b'"inSyncSlaveNums":1' in status.body
        await slave.stop()
        await master.stop()
        await name_server.stop()

    play(scenario)
