"""Finding routes, and name servers that fail."""

import asyncio

import pytest

from broker_py.client.client import Client, Identity
from broker_py.errors import ConfigError, RequestFailed, Unreachable
from broker_py.wire.codes import RequestCode
from tests.support.clock import ManualClock
from tests.unit.client.fake_cluster import FakeCluster

NOBODY = "127.0.0.1:1"


def route_requests(cluster: FakeCluster) -> int:
    return sum(request.code == RequestCode.GET_ROUTEINFO_BY_TOPIC for request in cluster.name_server.requests)


def test_a_route_is_asked_for_once_in_thirty_seconds(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")
    clock = ManualClock()

    async def find() -> None:
        async with cluster.client(clock) as client:
            await client.routes.find("T")
            clock.advance(29_999)
            await client.routes.find("T")
            assert route_requests(cluster) == 1
            clock.advance(1)
            await client.routes.find("T")
            assert route_requests(cluster) == 2

    asyncio.run(find())


def test_a_route_that_failed_is_asked_for_again_at_once(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")

    async def find(client: Client) -> None:
        await client.routes.find("T")
        client.routes.renew("T")
        await client.routes.find("T")

    cluster.ask(find)
    assert route_requests(cluster) == 2


def test_brokers_are_still_found_when_all_name_servers_are_gone(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")

    async def find(client: Client) -> None:
        before = await client.routes.find("T")
        await asyncio.to_thread(cluster.do, cluster.name_server.stop())
        client.routes.renew("T")
        assert await client.routes.find("T") == before
        with pytest.raises(Unreachable):
            await client.routes.find("Other")

    cluster.ask(find)


def test_a_topic_without_route_is_refused_by_code_17(cluster: FakeCluster) -> None:
    with pytest.raises(RequestFailed) as caught:
        cluster.ask(lambda client: client.routes.find("Nowhere"))
    assert caught.value.code == 17


def test_the_next_name_server_is_asked_when_one_is_silent_and_stays_the_one(cluster: FakeCluster) -> None:
    cluster.store_a.add_topic("T")

    async def ask() -> None:
        addresses = (NOBODY, NOBODY, cluster.namesrv)
        async with Client(addresses, Identity("10.0.0.9", 1, 1), ManualClock()) as client:
            assert await client.name_servers.topics() == ["T"]
            assert await client.name_servers.topics() == ["T"]

    asyncio.run(ask())


def test_every_silent_name_server_is_named() -> None:
    async def ask() -> None:
        async with Client(("127.0.0.1:1", "127.0.0.1:2"), Identity("10.0.0.9", 1, 1), ManualClock()) as client:
            await client.name_servers.topics()

    with pytest.raises(Unreachable, match=r"no name server answers: .*127\.0\.0\.1:\d .*; .*127\.0\.0\.1:\d "):
        asyncio.run(ask())


def test_without_any_name_server_the_option_is_named() -> None:
    async def ask() -> None:
        async with Client((), Identity("10.0.0.9", 1, 1), ManualClock()) as client:
            await client.name_servers.topics()

    with pytest.raises(ConfigError, match="NAMESRV_ADDR"):
        asyncio.run(ask())


def test_clients_that_are_made_in_the_same_millisecond_have_different_ids() -> None:
    clock = ManualClock()
    assert Client("127.0.0.1:9876", clock=clock).client_id != Client("127.0.0.1:9876", clock=clock).client_id
