"""What a broker permits to its clients, and whether the routes that name servers give out say so."""

import asyncio
from dataclasses import dataclass
from typing import Final

from broker_py.admin.targets import TOPIC_NOT_EXIST, BrokerAddress, NotKnown
from broker_py.client.client import Client
from broker_py.client.name_servers import NameServers
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.fields import int_of, text_of
from broker_py.model.route import MASTER_ID, TopicRoute
from broker_py.model.topic import PERM_READ, PERM_WRITE, TopicConfig

PROPERTY: Final = "brokerPermission"
READ_WRITE: Final = PERM_READ | PERM_WRITE


@dataclass(frozen=True, kw_only=True)
class BrokerPermission:
    """A master, and what it permits now: the sum of 4 (read) and 2 (write)."""

    broker: BrokerAddress
    permission: int


async def broker_permission(client: Client, address: str) -> BrokerPermission:
    """Return what a master permits; NotKnown for a slave, as the permission of its master is what counts."""
    properties = await client.brokers.config(address)
    broker = BrokerAddress(
        cluster=text_of(properties, "brokerClusterName"),
        broker_name=text_of(properties, "brokerName"),
        broker_id=int_of(properties, "brokerId"),
        address=address,
    )
    if broker.broker_id != MASTER_ID:
        raise NotKnown(
            f"{address} is a slave of {broker.broker_name}: its master's permission counts, give its address"
        )
    return BrokerPermission(broker=broker, permission=int_of(properties, PROPERTY, READ_WRITE))


async def set_broker_permission(client: Client, address: str, permission: int) -> None:
    """Have a broker permit something else from now on, which it tells its name servers."""
    await client.brokers.update_config(address, {PROPERTY: str(permission)})


async def unlike_routes(client: Client, broker: BrokerAddress, permission: int) -> list[str]:
    """Say of each name server that does not give out the permission for all topics of the broker what it does.

    An empty list means that every client whose route is fetched from now on knows the permission.
    """
    topics = list((await client.brokers.topics(broker.address)).values())
    faults = await asyncio.gather(
        *(_unlike(each, broker.broker_name, topics, permission) for each in client.name_servers.apart())
    )
    return [fault for fault in faults if fault is not None]


async def _unlike(name_server: NameServers, broker_name: str, topics: list[TopicConfig], permission: int) -> str | None:
    [address] = name_server.addresses
    for topic in topics:
        name, wanted = topic.topic_name, topic.perm & permission & READ_WRITE
        try:
            route = await name_server.route(name)
        except RequestFailed as error:
            if error.code != TOPIC_NOT_EXIST:
                return f"the name server {address} does not give out the route of {name}: {error}"
            route = TopicRoute()
        except BrokerPyError as error:
            return f"the name server {address} does not answer: {error}"
        shown = next((each.perm for each in route.queue_datas if each.broker_name == broker_name), None)
        if shown is None:
            return f"the name server {address} has no queues of {name} on {broker_name}"
        if shown & READ_WRITE != wanted:
            return f"the name server {address} gives out {name} on {broker_name} with perm {shown} and not {wanted}"
    return None
