"""A broker among its replicas: what its slaves copy of it, and what it copies of its master."""

import logging
from collections.abc import Callable
from typing import Any

from broker_py.broker.cold_reads import ColdReads
from broker_py.broker.config import ha_port, replicas_to_wait_for
from broker_py.broker.master_view import MasterView
from broker_py.broker.metadata_sync import MetadataSync
from broker_py.broker.periodic import Periodic
from broker_py.broker.protection import Protection
from broker_py.broker.registration import Master
from broker_py.broker.replica_log import StoreLog
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.broker.tables import Tables
from broker_py.remoting.client import RemotingClient
from broker_py.replication.acks import AckTable
from broker_py.replication.secret import Secret, read_secret
from broker_py.replication.sink import ReplicationSink
from broker_py.replication.source import ReplicationSource
from broker_py.store.store import Store

log = logging.getLogger(__name__)


class Replicas:
    """Sends the log to slaves; a slave's copies log and tables of its master.

    `moved` hears that a slave has more of the log, or that this one's has grown. `acks` knows who has how much,
    `master_alive` whether a slave's master is registered.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        host: Host,
        store: Store,
        tables: Tables,
        client: RemotingClient,
        protection: Protection,
        cold_reads: ColdReads,
        moved: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._moved = moved
        config, replication, clock = settings.broker, settings.replication, host.clock
        self.port = ha_port(config, replication)
        self.acks = AckTable(replicas_to_wait_for(config, replication))
        self.master_alive = False
        value = read_secret(host.files, replication.ha_secret_file)
        secret = None if value is None else Secret(value, host.random)
        log_bytes = StoreLog(store)
        self._source = ReplicationSource(
            log_bytes,
            replication,
            self.acks,
            moved,
            clock,
            secret=secret,
            fetch=cold_reads.fetch,
            secure=protection.secure_slave,
        )
        self._master_view = MasterView(client)
        self._sink: ReplicationSink | None = None
        self._sync: MetadataSync | None = None
        if config.is_slave:
            self._sink = ReplicationSink(
                log_bytes,
                replication,
                self._copied,
                clock,
                describe=self._master_view.describe,
                secret=secret,
                tls=protection.ha_tls,
            )
            self._sync = MetadataSync(client, tables.topics, tables.groups, tables.offsets, tables.kept, tables.modes)

    async def start(self) -> None:
        """Let slaves come. OSError when the port is taken."""
        self._store.copied_end = self._source.copied_end
        await self._source.start(self._settings.server.bind_address, self.port)

    def follow(self, periodic: Periodic) -> None:
        """Copy the master, if this is a slave."""
        if self._sink is not None:
            periodic.keep(self._sink.run())
        if self._sync is not None:
            periodic.keep(self._sync.run())

    async def stop_following(self) -> None:
        """Copy nothing more."""
        if self._sink is not None:
            await self._sink.stop()

    async def stop(self) -> None:
        """Send the slaves away."""
        await self._source.stop()

    def grown(self) -> None:
        """There is more of the log to send."""
        self._source.wake()

    def _copied(self) -> None:
        self._moved()
        self._source.wake()

    def heard_of(self, master: Master) -> None:
        """Take what the name servers say of this slave's master."""
        if self._sink is None or self._sync is None:
            return
        alive = master.address is not None
        if alive != self.master_alive:
            log.info("master of %s: %s", self._settings.broker.broker_name, master.address or "none is registered")
        self.master_alive = alive
        self._sync.set_master(master.address)
        self._master_view.set_master(master.address)
        if master.ha_address is not None and not self._settings.replication.ha_master_address:
            self._sink.set_master(master.ha_address)

    def status(self) -> dict[str, Any]:
        """Return the body of request 907 (remoting protocol/body/HARuntimeInfo); `fault` is ours."""
        return {**self._runtime(), "fault": self._fault()}

    def _fault(self) -> str:
        """What keeps this slave from copying, and which slaves this broker has sent away; empty when nothing does."""
        faults = [f"slave {refusal.peer} was refused: {refusal.reason}" for refusal in self._source.refusals()]
        if self._sink is not None and self._sink.status.fault is not None:
            faults.append(f"master {self._sink.status.master}: {self._sink.status.fault}")
        if self._sync is not None and self._sync.fault is not None:
            faults.append(f"topics, groups and offsets were not copied: {self._sync.fault}")
        return "; ".join(faults)

    def _runtime(self) -> dict[str, Any]:
        if self._sink is not None:
            status = self._sink.status
            return {
                "master": False,
                "masterCommitLogMaxOffset": 0,
                "inSyncSlaveNums": 0,
                "haConnectionInfo": [],
                "haClientRuntimeInfo": {
                    "activated": status.master is not None,
                    "masterAddr": status.master or "",
                    "maxOffset": status.end,
                    "transferredByteInSecond": status.bytes_per_second,
                },
            }
        slaves = self._source.connections()
        return {
            "master": True,
            "masterCommitLogMaxOffset": self._store.written.value,
            "inSyncSlaveNums": sum(slave.in_sync for slave in slaves),
            "haConnectionInfo": [
                {
                    "addr": slave.peer,
                    "slaveAckOffset": slave.acked,
                    "diff": slave.diff,
                    "inSync": slave.in_sync,
                    "transferredByteInSecond": slave.bytes_per_second,
                    "transferFromWhere": slave.sent,
                }
                for slave in slaves
            ],
        }

    def configure(self, settings: BrokerSettings) -> None:
        """Follow changed properties from here on."""
        self._settings = settings
