"""A broker as a process: how it starts, refuses to start, is configured and ends."""

import signal
from collections.abc import Awaitable, Callable

import pytest

from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage
from broker_py.errors import RequestFailed
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.support.cluster import Cluster, until
from tests.support.direct import Direct


def _known(client: Client) -> Callable[[], Awaitable[bool]]:
    async def known() -> bool:
        return "broker-a" in (await client.name_servers.cluster_info()).brokers

    return known


def _unknown(client: Client) -> Callable[[], Awaitable[bool]]:
    async def unknown() -> bool:
        return "broker-a" not in (await client.name_servers.cluster_info()).brokers

    return unknown


async def test_sigterm_unregisters_the_broker_and_ends_it_with_status_0(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.broker()
    await broker.start()
    async with cluster.client() as client:
        await until(_known(client), "the broker is registered")
        assert await broker.stop() == 0
        await until(_unknown(client), "the broker is unregistered", 5)
    assert "stopped" in broker.log()


async def test_what_waits_for_a_message_is_answered_when_the_broker_ends(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.send(broker.address, "T", b"first")
        waiting = await direct.waiting_pull(broker.address, "T", queue_offset=1)
        assert await broker.stop() == 0
        assert (await waiting).code == ResponseCode.PULL_NOT_FOUND


async def test_the_abort_file_is_there_while_the_broker_runs_and_after_a_kill(cluster: Cluster) -> None:
    broker = cluster.broker()
    abort, pid_file = broker.store / "abort", broker.directory / "pid"
    await broker.start()
    assert abort.exists()
    await broker.stop()
    assert not abort.exists()
    assert not pid_file.exists()
    await broker.start()
    broker.kill()
    assert abort.exists()
    await broker.start()
    await broker.stop()
    assert not abort.exists()


async def test_a_second_broker_on_a_store_is_refused_and_the_first_goes_on(cluster: Cluster) -> None:
    first = cluster.broker()
    await first.start()
    second = cluster.broker("broker-b", storePathRootDir=first.store)
    assert f"{first.store} is in use by another broker" in await second.refusal()
    async with Direct() as direct:
        assert (await direct.send(first.address, "T", b"still here")).code == ResponseCode.SUCCESS


async def test_a_broker_whose_port_is_taken_is_refused_before_it_touches_its_store(cluster: Cluster) -> None:
    first = cluster.broker()
    await first.start()
    ports = {
        "listenPort": first.port,
        "listenPort, which takes the port 2 below it too": first.port - 2,
        "haListenPort": first.port + 1,
    }
    for number, (name, port) in enumerate(ports.items()):
        other = cluster.broker(f"broker-{number}")
        if name == "haListenPort":
            other.properties["haListenPort"] = port
        else:
            other.properties["listenPort"] = port if name == "listenPort" else port + 2
        said = await other.refusal()
        assert f"port {port} is in use by another process; set {name}" in said
        assert not other.store.exists()


async def test_properties_that_can_not_be_meant_together_are_refused(cluster: Cluster) -> None:
    broker = cluster.broker(brokerRole="SLAVE")
    assert "brokerRole is SLAVE and brokerId is 0" in await broker.refusal()
    assert not broker.store.exists()


async def test_a_changed_property_holds_at_once_and_after_a_restart(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    async with Direct() as direct:
        await direct.tell(broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=b"autoCreateTopicEnable=false")
        assert (await direct.send(broker.address, "Unknown", b"")).code == ResponseCode.TOPIC_NOT_EXIST
        shown = (await direct.tell(broker.address, RequestCode.GET_BROKER_CONFIG)).body.decode()
        assert "autoCreateTopicEnable=false" in shown.splitlines()
        assert "autoCreateTopicEnable=false" in broker.config_file.read_text().splitlines()
        await broker.stop()
        await broker.start()
        assert (await direct.send(broker.address, "Unknown", b"")).code == ResponseCode.TOPIC_NOT_EXIST


async def test_a_property_that_can_not_be_changed_is_refused_and_nothing_is_written(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    before = broker.config_file.read_text()
    async with Direct() as direct:
        reply = await direct.ask(
            broker.address, RequestCode.UPDATE_BROKER_CONFIG, body=b"fileReservedTime=1\nbrokerName=other"
        )
    assert reply.code == ResponseCode.SYSTEM_ERROR
    assert "brokerName" in str(reply.remark)
    assert broker.config_file.read_text() == before


async def test_a_broker_registers_again_when_its_name_server_is_back(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.broker(registerNameServerPeriod=3_600_000)
    await broker.start()
    async with cluster.client() as client:
        await client.producer("producers").send(OutgoingMessage(topic="T", body=b"before"))

        async def route() -> bool:
            return bool((await client.name_servers.route("T")).broker_datas)

        await until(route, "the name server knows the topic")
        nameserver.kill()
        await nameserver.start()
        await until(route, "the name server knows the topic again", 10)


async def test_a_broker_starts_without_its_name_server_and_registers_when_it_comes(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    broker = cluster.broker(registerNameServerPeriod=3_600_000)
    await broker.start()
    await nameserver.start()
    async with cluster.client() as client:
        await until(_known(client), "the broker is registered", 10)


async def test_a_killed_broker_is_forgotten_at_once(cluster: Cluster) -> None:
    nameserver = cluster.nameserver()
    await nameserver.start()
    broker = cluster.broker()
    await broker.start()
    async with cluster.client() as client:
        await until(_known(client), "the broker is registered")
        broker.kill()
        await until(_unknown(client), "the broker is forgotten", 5)
        with pytest.raises(RequestFailed, match=f"code {ResponseCode.TOPIC_NOT_EXIST}"):
            await client.name_servers.route("TBW102")


async def test_sigint_ends_a_broker_as_sigterm_does(cluster: Cluster) -> None:
    broker = cluster.broker()
    await broker.start()
    assert await broker.stop(signal.SIGINT) == 0
    assert not (broker.store / "abort").exists()
