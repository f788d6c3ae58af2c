"""A name server: the table, its handlers, the port, and the look for brokers that went silent."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from broker_py.errors import ConfigError, Unreachable
from broker_py.nameserver.config import Settings
from broker_py.nameserver.handlers.configuration import ConfigurationHandlers
from broker_py.nameserver.handlers.registration import RegistrationHandlers
from broker_py.nameserver.handlers.routes import RouteHandlers
from broker_py.nameserver.kv_config import KvConfig
from broker_py.nameserver.route_table import LowestIdChange, RouteTable
from broker_py.remoting.audit import Audit
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.connection import Connection
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer, is_loopback
from broker_py.remoting.tls import TlsContexts
from broker_py.seams import Clock, FileSystem
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.nameserver import NotifyMinBrokerIdRequest
from broker_py.wire.unserved import why_no_name_server

log = logging.getLogger(__name__)

_TLS_SECONDS: Final = 5.0
# What brokers tell and ask, and what only looks.
_NOT_AUDITED: Final = frozenset({103, 104, 322, 904, 901, 105, 106, 101, 219, 206, 224, 304, 311, 312, 313, 319, 47})


class NameServer:
    """Serves brokers and clients on one port (namesrv NamesrvController). It knows of no other name server."""

    def __init__(
        self,
        settings: Settings,
        server_config: ServerConfig,
        clock: Clock,
        files: FileSystem,
        tls: TlsContexts | None = None,
    ) -> None:
        self._tls = tls
        self._settings = settings
        self._clock = clock
        self._table = RouteTable()
        self._kv = KvConfig(files, settings.current().kv_config_path)
        self._registration = RegistrationHandlers(self._table, self._kv, settings, clock, self._lowest_id_changed)
        router = Router(why_no_name_server)
        self._registration.install(router)
        RouteHandlers(self._table, self._kv, settings, clock).install(router)
        ConfigurationHandlers(self._kv, settings).install(router)
        Audit(signed=False).watch(router, but=_NOT_AUDITED)
        self._open = not is_loopback(server_config.bind_address)
        self._server = RemotingServer(server_config, router, Outbox(), self._connection_lost, tls)
        self._client = RemotingClient(tls=lambda: None if tls is None else tls.client())
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def start(self) -> int:
        """Load what is kept, listen, and return the port; ConfigError when that can't be done."""
        port = self._server.bind(self._settings.current().listen_port)
        if self._open:
            log.warning("whoever reaches port %d may change routes and settings (docs/security.md)", port)
        self._kv.load()
        await self._server.start()
        self._spawn(self._expire_regularly())
        if self._tls is not None:
            self._spawn(self._refresh_regularly(self._tls))
        return port

    async def stop(self) -> None:
        """Answer what was asked and close all connections."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await self._server.stop()
        await self._client.close()

    def expire(self) -> None:
        """Remove the brokers that are silent for too long, and close their connections."""
        departed = self._table.expire(self._clock.monotonic())
        self._registration.note_departed(departed, "nothing was heard of it for too long")
        for gone in departed:
            if isinstance(gone.peer, Connection):
                gone.peer.close()

    async def _expire_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.current().scan_not_active_broker_interval / 1000)
            self.expire()

    async def _refresh_regularly(self, tls: TlsContexts) -> None:
        while True:
            await asyncio.sleep(_TLS_SECONDS)
            tls.refresh()

    def _connection_lost(self, connection: Connection) -> None:
        if not self._stopping:
            self._registration.note_departed(self._table.unregister_peer(connection), "its connection was lost")

    def _lowest_id_changed(self, change: LowestIdChange) -> None:
        """Tell the brokers of a name who is the lowest now, if that is wanted."""
        if not self._settings.current().notify_min_broker_id_changed or self._stopping:
            return
        lowest = min(change.members)
        notice = NotifyMinBrokerIdRequest(
            min_broker_id=lowest,
            broker_name=change.broker_name,
            min_broker_addr=change.members[lowest],
            offline_broker_addr=change.offline_address,
            ha_broker_addr=change.ha_address,
        )
        for broker_id, address in change.members.items():
            # Who has just registered as the lowest knows; when somebody left, all have to hear of it.
            if change.offline_address is not None or broker_id != lowest:
                self._spawn(self._notify(address, encode_header(notice)))

    async def _notify(self, address: str, ext: dict[str, str]) -> None:
        try:
            await self._client.send(address, Command(RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE, ext))
        except (Unreachable, ConfigError) as error:  # a broker may have registered anything as its address
            log.warning("a change of the lowest broker id could not be told: %s", error)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
