"""A broker: its parts put together, started and stopped (broker BrokerController).

client ──► RemotingServer ──► Requests ──► Store ──► AckPolicy ──► replies
                                            │  ▲
                                Replicas ◄──┘  └── Services
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.clients import ConsumerGroup, ConsumerTable, ProducerTable
from broker_py.broker.cold_reads import ColdReads
from broker_py.broker.config import check_together, replicas_to_wait_for
from broker_py.broker.fast_failure import FastFailure
from broker_py.broker.foreign_store import check_store
from broker_py.broker.long_polling import ParkedPulls
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.metadata import BACKUP
from broker_py.broker.own_credentials import OwnCredentials
from broker_py.broker.periodic import Periodic
from broker_py.broker.protection import REFRESH_SECONDS, Protection
from broker_py.broker.queue_locks import QueueLocks
from broker_py.broker.registration import Registration
from broker_py.broker.replicas import Replicas
from broker_py.broker.requests import Requests, Served
from broker_py.broker.saving import Saving
from broker_py.broker.services import Services
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.broker.statistics import Statistics
from broker_py.broker.store_owner import StoreOwner
from broker_py.broker.tables import Tables
from broker_py.broker.upkeep import Upkeep
from broker_py.errors import StoreError
from broker_py.message.ids import pack_host
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import PERM_WRITE, TopicConfig
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import Connection
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.store.config import FlushDiskType
from broker_py.store.store import Store
from broker_py.store.warmer import Warmer
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.unserved import why_no_broker

log = logging.getLogger(__name__)

FAST_PORT_BELOW: Final = 2
_TICK_SECONDS: Final = 0.1
_DRAIN_SECONDS: Final = 5.0


class Broker:
    """One broker. `show_config` gives its properties as text, `change_config` applies and keeps changed ones."""

    def __init__(
        self,
        settings: BrokerSettings,
        host: Host,
        show_config: Callable[[], str],
        change_config: Callable[[str], None],
    ) -> None:
        check_together(settings.broker, settings.replication)
        self._settings = settings
        self._host = host
        config, clock = settings.broker, host.clock
        store_host = pack_host(config.broker_ip1, config.listen_port)
        self.store = Store(
            settings.store,
            host.files,
            clock,
            store_host,
            memory_bytes=host.memory_bytes,
            process_id=host.pid,
            progress=host.recovering,
        )
        self._owner = StoreOwner(host.files, settings.store.store_path_root_dir, config)
        self._clean_seconds = settings.store.clean_resource_interval / 1000
        self.tables = Tables(config, host.files, settings.store.store_path_root_dir + "/config", clock)
        self.consumers = ConsumerTable(self._notify_members)
        self.producers = ProducerTable()
        self.parked = ParkedPulls()
        self._locks = QueueLocks()
        self._filters = MessageFilters(config)
        self._statistics = Statistics(clock.now_ms())
        self._periodic = Periodic()

        router = Router(why_no_broker)
        outbox = Outbox(self._before_write)
        protection = self._protection = Protection(
            config, settings.server, settings.replication, host.files, clock, host.yaml, host.tls
        )
        protection.guard(router)
        self._fast_failure = FastFailure(config, self.store, clock)
        self._server = RemotingServer(
            settings.server, router, outbox, self._lost, host.tls, self._reads_again, self._fast_failure
        )
        self._client = RemotingClient(
            router, outbox, on_close=self._lost_address, credentials=host.credentials(), tls=protection.client_tls
        )
        self._cold_reads = ColdReads(self.store, router)
        self._replicas = Replicas(
            settings, host, self.store, self.tables, self._client, protection, self._cold_reads, self._replicated
        )
        self._registration = Registration(
            config, self._replicas.port, self._client, self._registered_topics, self._replicas.heard_of
        )
        self._sync_flush = settings.store.flush_disk_type is FlushDiskType.SYNC_FLUSH
        self.acks = AckPolicy(
            self.store,
            self._replicas.acks,
            settings.replication,
            self._statistics,
            clock,
            sync_flush=self._sync_flush,
            sync_replicas=replicas_to_wait_for(config, settings.replication),
            request_flush=self._flush,
            grown=self._replicas.grown,
            dispatched=self._dispatched,
        )
        self.acks.max_waiting = config.send_thread_pool_queue_capacity
        self._services = Services(
            settings, host, self.store, self.tables, self.producers, self.acks, self._cold_reads, store_host
        )
        upkeep = Upkeep()
        self._saving = Saving(settings, self.store, self.tables, self._services, upkeep, self._flushed)
        self._requests = Requests(
            Served(
                settings=settings,
                host=host,
                store=self.store,
                store_host=store_host,
                tables=self.tables,
                consumers=self.consumers,
                producers=self.producers,
                locks=self._locks,
                parked=self.parked,
                filters=self._filters,
                statistics=self._statistics,
                upkeep=upkeep,
                acks=self.acks,
                services=self._services,
                replicas=self._replicas,
                protection=protection,
                cold_reads=self._cold_reads,
                client=self._client,
                show_config=show_config,
                change_config=change_config,
            ),
            router,
        )

    # Starting and stopping

    async def start(self) -> None:
        """Take the ports, recover the store, serve. BrokerPyError or OSError says why it can't, and nothing runs."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        config = self._settings.broker
        self._protection.begin()
        self._server.bind(config.listen_port)
        self._server.bind(config.listen_port - FAST_PORT_BELOW)
        self._open()
        self._cold_reads.warmer = Warmer(self._host.files, asyncio.get_running_loop().call_soon_threadsafe)
        self._saving.start(self._periodic)
        await self._replicas.start()
        await self._server.start()
        self.tables.topics.on_change = self._registration.changed
        self._services.start(self._periodic)
        self._registration.start()
        self._replicas.follow(self._periodic)
        self._start_periodic()
        if self.store.admission.fault is not None:
            self._fault_changed()

    def _open(self) -> None:
        """Recover the store, and have consumers see what is acknowledged."""
        began = self._host.clock.monotonic()
        self._owner.check()
        check_store(self._host.files, self._settings.store.store_path_root_dir)
        self.store.load()
        self._owner.claim()
        self._warn_of_lost_topics()
        self.tables.load()
        self.store.on_arrival(self._arrived)
        self.store.admission.on_fault = self._fault_changed
        self.store.dispatch(self.acks.visible())
        self._services.load()
        log.info(
            "store %s is open after %.2f s: log from %d to %d",
            self._settings.store.store_path_root_dir,
            self._host.clock.monotonic() - began,
            self.store.log.min_offset,
            self.store.written.value,
        )

    def _warn_of_lost_topics(self) -> None:
        """Say so where messages are of topics that nobody knows any more: this is no new broker."""
        files, path = self._host.files, self._settings.store.store_path_root_dir + "/config/topics.json"
        topics = self.store.topics()
        if topics and not files.exists(path) and not files.exists(path + BACKUP):
            log.warning(
                "%s is missing, but the store has messages of %s: make their topics anew, or give the file back",
                path,
                ", ".join(topics),
            )

    def _start_periodic(self) -> None:
        every = self._periodic.every
        every(lambda: _TICK_SECONDS, self._tick)
        every(lambda: self._clean_seconds, self._clean)
        every(lambda: 1.0, self._each_second)
        every(lambda: 10.0, self._expire_clients)
        every(lambda: REFRESH_SECONDS, self._protection.refresh)
        every(lambda: REFRESH_SECONDS, OwnCredentials(self._host.credentials, self._client).refresh)

    async def stop(self) -> None:
        """Leave the name servers, answer what waits, flush, and let go of the store."""
        await self._registration.stop()
        self._services.stop_delivering()
        deadline = self._host.clock.monotonic() + _DRAIN_SECONDS
        while self.acks.waiting and self._host.clock.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self.parked.release_all()
        self._services.pop.waiting.release_all()
        await asyncio.sleep(0)
        await self._server.stop()
        self._services.write_decisions()
        await self._replicas.stop_following()
        await self._periodic.stop()
        await self._replicas.stop()
        await self._client.close()
        self._saving.stop()
        if self._cold_reads.warmer is not None:
            self._cold_reads.warmer.stop()
        self._saving.save_all()
        self.store.admission.on_fault = lambda: None
        self.store.close()

    # The log's end moves

    def _before_write(self) -> None:
        self.acks.commit()

    def _arrived(self, topic: str, queue_id: int, _next_offset: int, tags_code: int, _stored_ms: int) -> None:
        self.parked.arrived(topic, queue_id, tags_code)
        self._services.arrived(topic, queue_id, tags_code)

    def _dispatched(self) -> None:
        self.parked.wake()
        self._services.pop.waiting.wake()

    def _replicated(self) -> None:
        self.acks.advance()

    def _flush(self) -> None:
        self._saving.flush()

    def _flushed(self, error: BaseException | None) -> None:
        if error is not None:
            self.acks.fail_waiting(str(error))
        elif self._sync_flush:
            self.acks.advance()

    def _fault_changed(self) -> None:
        """Messages are refused, for another reason than before, or taken again: say so at once, everywhere."""
        fault = self.store.admission.fault
        if fault is None:
            log.info("messages are accepted again")
        else:
            log.error("messages are refused: %s", fault)
        if self.store.admission.broken is not None:
            self.acks.fail_waiting(self.store.admission.broken)
        self._registration.changed()
        self._host.refusing(fault)

    # Time passes

    def _tick(self) -> None:
        now = self._host.clock.monotonic()
        self.parked.expire(now)
        self._services.pop.waiting.expire(now)
        self.acks.expire()

    def _each_second(self) -> None:
        self._statistics.sample(self._host.clock.now_ms())
        self._services.transaction_checks.write_down()
        if self.store.checkpoint_due:
            self._saving.checkpoint()
        if self.store.admission.full:
            self._make_room()

    def _clean(self) -> None:
        self._clean_seconds = self.store.clean(self._host.clock.now_ms()) / 1000
        self._services.timers.clean()

    def _make_room(self) -> None:
        """Delete what may be, and go on as soon as there is room: no send comes that would find it out."""
        self._clean()
        try:
            self.store.resume()
        except StoreError as error:
            log.debug("messages are still refused: %s", error)

    def _expire_clients(self) -> None:
        now_ms = self._host.clock.now_ms()
        before = now_ms - self._settings.broker.channel_expired_timeout
        for client in [*self.consumers.expire(before), *self.producers.expire(before)]:
            log.info("client %s at %s was silent for too long", client.client_id, client.peer.name)
        self._locks.expire(now_ms)

    # Clients and name servers

    def _lost(self, connection: Connection) -> None:
        self._cold_reads.drop(connection)
        self.parked.drop(connection)
        self._services.pop.waiting.drop(connection)
        self.consumers.lost(connection)
        self.producers.lost(connection)

    def _reads_again(self, connection: Connection) -> None:
        """What was kept from a peer that did not read goes to it."""
        self._cold_reads.writable(connection)
        self.parked.writable(connection)
        self._services.pop.waiting.writable(connection)

    def _lost_address(self, address: str) -> None:
        self._registration.lost(address)

    def _notify_members(self, group: ConsumerGroup) -> None:
        """Tell a group's members that they are more, or fewer: they divide the queues anew at once."""
        settings = self.tables.groups.get(group.group)
        if not self._settings.broker.notify_consumer_ids_changed_enable:
            return
        if settings is not None and not settings.notify_consumer_ids_changed_enable:
            return
        for client in group.members.values():
            client.peer.send(Command(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, {"consumerGroup": group.group}))

    def _registered_topics(self) -> tuple[dict[str, TopicConfig], DataVersion]:
        """The topics as name servers are told them: not writable while the store isn't."""
        topics, version = self.tables.topics.registered(), self.tables.topics.version
        if self.store.admission.fault is not None:
            topics = {name: replace(topic, perm=topic.perm & ~PERM_WRITE) for name, topic in topics.items()}
            version = replace(version, counter=version.counter + (1 << 32))
        return topics, version

    # Changed properties

    def configure(self, settings: BrokerSettings) -> None:
        """Follow properties that were changed while the broker runs."""
        self._settings = settings
        self.store.configure(settings.store)
        self._fast_failure.configure(settings.broker)
        self.acks.max_waiting = settings.broker.send_thread_pool_queue_capacity
        self.tables.configure(settings.broker)
        self._filters.configure(settings.broker)
        self._registration.configure(settings.broker)
        self._replicas.configure(settings)
        self._services.configure(settings)
        self._saving.configure(settings)
        self._requests.configure(settings)
