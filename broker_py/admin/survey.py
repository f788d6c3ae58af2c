"""What every name server and every broker says for itself, silence included: the ground to judge a cluster on."""

import asyncio
from dataclasses import dataclass, field

from broker_py.admin.targets import BrokerAddress, all_brokers
from broker_py.client.brokers import ReplicationStatus
from broker_py.client.client import Client
from broker_py.client.name_servers import NameServers
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.route import MASTER_ID


@dataclass(frozen=True, kw_only=True)
class NameServerAnswer:
    """The brokers that one name server reports; `error` says why it reported none at all."""

    address: str
    brokers: tuple[BrokerAddress, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class BrokerAnswer:
    """What one broker says of itself; `error` says why it said nothing. Old brokers have no `replication`."""

    runtime: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    replication: ReplicationStatus | None = None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All answers; those of brokers by their addresses."""

    name_servers: tuple[NameServerAnswer, ...]
    brokers: dict[str, BrokerAnswer]


async def survey(client: Client, cluster: str | None = None) -> Survey:
    """Ask all name servers, and all brokers of one cluster or of all that any of these reports.

    Masters are asked before slaves: a slave whose log then ends no earlier holds all that its master had when asked.
    """
    name_servers = tuple(
        await asyncio.gather(*(_name_server(each, cluster) for each in client.name_servers.apart())),
    )
    reported = [broker for answer in name_servers for broker in answer.brokers]
    masters = dict.fromkeys(broker.address for broker in reported if broker.broker_id == MASTER_ID)
    slaves = dict.fromkeys(broker.address for broker in reported if broker.address not in masters)
    answers: dict[str, BrokerAnswer] = {}
    for addresses in (masters, slaves):
        found = await asyncio.gather(*(_broker(client, address) for address in addresses))
        answers.update(zip(addresses, found, strict=True))
    return Survey(name_servers=name_servers, brokers=answers)


async def _name_server(name_server: NameServers, cluster: str | None) -> NameServerAnswer:
    [address] = name_server.addresses
    try:
        brokers = all_brokers(await name_server.cluster_info())
    except BrokerPyError as error:
        return NameServerAnswer(address=address, error=str(error))
    return NameServerAnswer(
        address=address, brokers=tuple(broker for broker in brokers if cluster in {None, broker.cluster})
    )


async def _broker(client: Client, address: str) -> BrokerAnswer:
    try:
        return BrokerAnswer(
            runtime=await client.brokers.runtime_info(address),
            properties=await client.brokers.config(address),
            replication=await _replication(client, address),
        )
    except BrokerPyError as error:
        return BrokerAnswer(error=str(error))


async def _replication(client: Client, address: str) -> ReplicationStatus | None:
    try:
        return await client.brokers.replication_status(address)
    except RequestFailed:
        return None
