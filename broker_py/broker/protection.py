"""What keeps others out of a broker: its access rules, TLS on its ports, and the record of what was changed."""

import asyncio
import logging
import ssl
from typing import Final

from broker_py.broker.acl.files import AclFiles, Yaml
from broker_py.broker.acl.gate import Gate
from broker_py.broker.acl.requests import CLIENT_REQUESTS, READING_REQUESTS
from broker_py.broker.acl.service import AclService
from broker_py.broker.config import BrokerConfig
from broker_py.errors import ConfigError
from broker_py.remoting.audit import Audit
from broker_py.remoting.config import ServerConfig, TlsMode
from broker_py.remoting.doorway import Doorway
from broker_py.remoting.router import Router
from broker_py.remoting.server import is_loopback
from broker_py.remoting.tls import TlsContexts
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.slave_connection import SlaveConnection
from broker_py.seams import Clock, FileSystem

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 5.0  # as Java looks at its files


class Protection:
    """Access rules and TLS of one broker; `acl` is None where aclEnable is false."""

    def __init__(
        self,
        broker: BrokerConfig,
        server: ServerConfig,
        replication: ReplicationConfig,
        files: FileSystem,
        clock: Clock,
        yaml: Yaml | None,
        tls: TlsContexts | None,
    ) -> None:
        self._broker = broker
        self._server = server
        self._ha_in_tls = replication.ha_tls_enable
        self._clock = clock
        self._tls = tls
        self.acl: AclService | None = None
        if broker.acl_enable:
            if yaml is None:
                raise ConfigError("aclEnable is true, and nothing reads YAML")
            self.acl = AclService(AclFiles(files, broker.acl_config_path, yaml, clock))

    def guard(self, router: Router) -> None:
        """Have the rules decide on each request of `router`."""
        acl = self.acl
        if acl is not None:
            router.guard(Gate(lambda: acl.rules, self._clock).check)

    def audit(self, router: Router) -> None:
        """Have each request noted that changes something, of those that `router` serves now."""
        Audit(signed=self.acl is not None).watch(router, but=CLIENT_REQUESTS.keys() | READING_REQUESTS)

    def begin(self) -> None:
        """Read the rules, and say what is open; ConfigError when the settings can't be followed."""
        if self._ha_in_tls:
            self._check_ha_tls()
        if self.acl is not None:
            self.acl.load()
        elif not is_loopback(self._server.bind_address):
            log.warning(
                "whoever reaches port %d may read, change and delete everything: aclEnable is false (docs/security.md)",
                self._broker.listen_port,
            )

    async def refresh(self) -> None:
        """Follow changed files."""
        if self._tls is not None:
            self._tls.refresh()
        if self.acl is not None:
            await self.acl.refresh()

    def client_tls(self) -> ssl.SSLContext | None:
        """What requests to others are encrypted with."""
        return None if self._tls is None else self._tls.client()

    def ha_tls(self) -> ssl.SSLContext | None:
        """What this slave's connection to its master is encrypted with."""
        return self.client_tls() if self._ha_in_tls else None

    def secure_slave(self, slave: SlaveConnection) -> asyncio.Protocol:
        """Return what stands between a slave's socket and its connection: that itself, or what tells TLS.

        A master that has a certificate takes either, so that its slaves can be changed one after the other; with
        haTlsEnable nothing but TLS.
        """
        context = None if self._tls is None else self._tls.server()
        if not self._ha_in_tls and (context is None or self._server.tls_server_mode is TlsMode.disabled):
            return slave
        assert context is not None, "checked at the start, and a certificate that was there stays"
        seconds = self._server.server_header_timeout_seconds
        return Doorway(slave, context, plain_allowed=not self._ha_in_tls, handshake_seconds=seconds)

    def _check_ha_tls(self) -> None:
        """Refuse replication in TLS without what it needs: it must not go on in the clear."""
        if self._tls is None or self._tls.server() is None:
            raise ConfigError("haTlsEnable is true, and tls.config.file names no tls.server.certPath")
        if self._broker.is_slave and self._tls.client() is None:
            raise ConfigError("haTlsEnable is true at a slave, which needs tls.enable=true too")
