"""Keeping the name servers told: who this broker is and which topics it has (broker out/BrokerOuterAPI).

Every name server is told on a timer, on every change of a topic, and as soon as a lost connection is back. Name
servers don't talk to one another, so each is told by itself, and none delays another.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.errors import BrokerPyError, RequestFailed, Unreachable
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import TopicConfig
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import decode_header, encode_header
from broker_py.wire.headers.nameserver import BrokerRequest, RegisterBrokerReply, RegisterBrokerRequest
from broker_py.wire.register_body import RegisterBody, body_crc32

log = logging.getLogger(__name__)

RECONNECT_SECONDS: Final = 0.5
_UNREGISTER_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Master:
    """What a name server knows of a slave's master; None: it has none."""

    address: str | None
    ha_address: str | None


@dataclass
class _NameServer:
    """One name server as this broker sees it."""

    address: str
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    registered: bool = False
    fault: str | None = None
    task: "asyncio.Task[None] | None" = None


class Registration:
    """Registers with all name servers until `stop`.

    `topics` gives the table as it is to be registered and its version. `on_master` hears what a name server said of
    this slave's master, at each registration.
    """

    def __init__(
        self,
        config: BrokerConfig,
        ha_port: int,
        client: RemotingClient,
        topics: Callable[[], tuple[dict[str, TopicConfig], DataVersion]],
        on_master: Callable[[Master], None],
    ) -> None:
        self._config = config
        self._ha_port = ha_port
        self._client = client
        self._topics = topics
        self._on_master = on_master
        self._servers: dict[str, _NameServer] = {}
        self._stopping = False

    def start(self) -> None:
        """Begin to register."""
        self.configure(self._config)

    def configure(self, config: BrokerConfig) -> None:
        """Follow a changed list of name servers and changed properties."""
        self._config = config
        for address in [address for address in self._servers if address not in config.namesrv_addr]:
            gone = self._servers.pop(address)
            if gone.task is not None:
                gone.task.cancel()
        for address in config.namesrv_addr:
            if address not in self._servers:
                server = self._servers[address] = _NameServer(address)
                server.task = asyncio.get_running_loop().create_task(self._keep_told(server))
        self.changed()

    def changed(self) -> None:
        """Something that is registered has changed: tell all name servers."""
        for server in self._servers.values():
            server.wake.set()

    def lost(self, address: str) -> None:
        """A connection ended; when it was a name server's, which forgets this broker by that, tell it anew."""
        server = self._servers.get(address)
        if server is not None:
            if server.registered and not self._stopping:
                log.warning("connection to name server %s was lost", address)
            server.registered = False
            server.wake.set()

    async def stop(self) -> None:
        """Stop registering and have all name servers forget this broker; those that can't be reached will by time."""
        self._stopping = True
        for server in self._servers.values():
            if server.task is not None:
                server.task.cancel()
        await asyncio.gather(*(self._unregister(server) for server in self._servers.values() if server.registered))

    async def _keep_told(self, server: _NameServer) -> None:
        while not self._stopping:
            server.wake.clear()
            try:
                await self._register(server)
                pause = self._config.register_name_server_period / 1000
            except (BrokerPyError, OSError, ValueError) as error:  # ValueError: a host name that can't be one
                if server.fault is None:
                    log.warning("not registered with name server %s: %s", server.address, error)
                server.registered = False
                server.fault = str(error)
                pause = RECONNECT_SECONDS
            try:
                await asyncio.wait_for(server.wake.wait(), pause)
            except asyncio.TimeoutError:
                continue

    async def _register(self, server: _NameServer) -> None:
        config = self._config
        topics, version = self._topics()
        body = RegisterBody(data_version=version, topics=topics).encode()
        header = RegisterBrokerRequest(
            broker_name=config.broker_name,
            broker_addr=config.address,
            cluster_name=config.broker_cluster_name,
            ha_server_addr=config.ha_address(self._ha_port),
            broker_id=config.broker_id,
            compressed=False,
            body_crc32=body_crc32(body),
        )
        command = Command(RequestCode.REGISTER_BROKER, encode_header(header), body)
        timeout = config.register_broker_timeout_mills / 1000
        reply = expect_success(await self._client.request(server.address, command, timeout))
        if not server.registered:
            log.info("registered with name server %s as %s", server.address, config.address)
        server.registered, server.fault = True, None
        if config.is_slave:
            master = decode_header(RegisterBrokerReply, reply.ext)
            self._on_master(Master(master.master_addr or None, master.ha_server_addr or None))

    async def _unregister(self, server: _NameServer) -> None:
        config = self._config
        header = BrokerRequest(
            broker_name=config.broker_name,
            broker_addr=config.address,
            cluster_name=config.broker_cluster_name,
            broker_id=config.broker_id,
        )
        command = Command(RequestCode.UNREGISTER_BROKER, encode_header(header))
        try:
            expect_success(await self._client.request(server.address, command, _UNREGISTER_SECONDS))
        except (Unreachable, RequestFailed) as error:
            log.warning("not unregistered from name server %s: %s", server.address, error)
