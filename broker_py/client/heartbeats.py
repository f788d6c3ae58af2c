"""What a client says of its groups, to every broker that it has to do with (client impl/factory/MQClientInstance)."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from broker_py.client.queues import all_addresses
from broker_py.client.routes import Routes
from broker_py.errors import BrokerPyError, RequestFailed
from broker_py.model.subscription import ConsumerData, Heartbeat
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.fastjson import dumps
from broker_py.wire.header import encode_header
from broker_py.wire.headers.clients import UnregisterClientRequest

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 30.0  # brokers forget a client after 120 s
TIMEOUT_SECONDS: Final = 3.0


class Heartbeats:
    """The groups of one client. A heartbeat has all of them, since a broker takes it for the whole truth."""

    def __init__(self, remoting: RemotingClient, routes: Routes, client_id: str) -> None:
        self._remoting = remoting
        self._routes = routes
        self._client_id = client_id
        self._producers: set[str] = set()
        self._consumers: dict[str, ConsumerData] = {}
        self._version = 0  # of what heartbeats say
        self._greeted: dict[str, int] = {}
        self._beating: asyncio.Task[None] | None = None

    def add_producer(self, group: str) -> None:
        """Have brokers know this client as a producer of a group."""
        self._producers.add(group)
        self._changed()

    def add_consumer(self, data: ConsumerData) -> None:
        """Have brokers know this client as a consumer of a group, or what has changed of it."""
        self._consumers[data.group_name] = data
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat_for_ever())

    def forget(self, address: str) -> None:
        """Take it that a broker does not know this client: its connection was lost, or it says so."""
        self._greeted.pop(address, None)

    async def introduce(self, addresses: Iterable[str]) -> None:
        """Have the brokers know this client now that do not yet; failures are logged, the next call tries again."""
        await self._beat([address for address in addresses if self._greeted.get(address) != self._version])

    async def _beat(self, addresses: list[str]) -> None:
        if not addresses or not (self._producers or self._consumers):
            return
        heartbeat = Heartbeat(
            client_id=self._client_id,
            producer_groups=tuple(sorted(self._producers)),
            consumers=tuple(self._consumers.values()),
        )
        body, version = dumps(heartbeat.to_json()), self._version
        await asyncio.gather(*(self._beat_at(address, body, version) for address in addresses))

    async def _beat_at(self, address: str, body: bytes, version: int) -> None:
        try:
            expect_success(
                await self._remoting.request(address, Command(RequestCode.HEART_BEAT, body=body), TIMEOUT_SECONDS)
            )
            self._greeted[address] = version
        except BrokerPyError as error:
            self._greeted.pop(address, None)
            level = logging.ERROR if isinstance(error, RequestFailed) else logging.WARNING
            log.log(level, "heartbeat of %s to %s: %s", self._client_id, address, error)

    async def _beat_for_ever(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._beat(self._addresses())

    def _addresses(self) -> list[str]:
        return sorted({address for route in self._routes.known() for address in all_addresses(route)})

    async def remove_producer(self, group: str) -> None:
        """Leave a producer group."""
        self._producers.discard(group)
        await self._unregister(UnregisterClientRequest(client_id=self._client_id, producer_group=group))

    async def remove_consumer(self, group: str) -> None:
        """Leave a consumer group; its other members share our queues at once."""
        self._consumers.pop(group, None)
        await self._unregister(UnregisterClientRequest(client_id=self._client_id, consumer_group=group))

    async def _unregister(self, header: UnregisterClientRequest) -> None:
        ext = encode_header(header)
        await asyncio.gather(*(self._unregister_at(address, dict(ext)) for address in self._addresses()))

    async def _unregister_at(self, address: str, ext: dict[str, str]) -> None:
        try:
            expect_success(
                await self._remoting.request(address, Command(RequestCode.UNREGISTER_CLIENT, ext), TIMEOUT_SECONDS)
            )
        except BrokerPyError as error:
            log.warning("%s is not taken off %s: %s", self._client_id, address, error)

    async def close(self) -> None:
        """End the heartbeats."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
            self._beating = None
