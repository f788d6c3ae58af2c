"""A broker: its tables, handlers and services put together, started and stopped (broker BrokerController).

client ──► RemotingServer ──► handlers ──► Store ──► AckPolicy ──► replies
                                            │  ▲
                      ReplicationSource ◄───┘  └─── ReplicationSink (a slave)
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.acl.files import Yaml
from broker_py.broker.clients import ConsumerGroup, ConsumerTable, ProducerTable
from broker_py.broker.cold_reads import ColdReads
from broker_py.broker.config import BrokerConfig, check_together, ha_port, replicas_to_wait_for
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.decisions import Decisions
from broker_py.broker.deferral import Deferral
from broker_py.broker.foreign_store import check_store
from broker_py.broker.groups import GroupTable
from broker_py.broker.handlers.ack import AckHandler
from broker_py.broker.handlers.acl import AclHandler
from broker_py.broker.handlers.assignments import AssignmentHandler
from broker_py.broker.handlers.broker import BrokerHandler
from broker_py.broker.handlers.clients import ClientHandler
from broker_py.broker.handlers.clone import CloneHandler
from broker_py.broker.handlers.groups import GroupHandler
from broker_py.broker.handlers.kept import KeptHandler
from broker_py.broker.handlers.offsets import OffsetHandler
from broker_py.broker.handlers.pop import PopHandler
from broker_py.broker.handlers.progress import ProgressHandler
from broker_py.broker.handlers.pull import PullHandler
from broker_py.broker.handlers.query import QueryHandler
from broker_py.broker.handlers.relays import RelayHandler
from broker_py.broker.handlers.replies import ReplyHandler
from broker_py.broker.handlers.send import SendHandler
from broker_py.broker.handlers.send_back import SendBackHandler
from broker_py.broker.handlers.topics import TopicHandler
from broker_py.broker.handlers.transactions import TransactionHandler
from broker_py.broker.kept_files import KeptFiles
from broker_py.broker.long_polling import ParkedPulls
from broker_py.broker.master_view import MasterView
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.metadata import BACKUP, MetadataFile
from broker_py.broker.metadata_sync import MetadataSync
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.periodic import Periodic
from broker_py.broker.pop.service import PopService
from broker_py.broker.protection import REFRESH_SECONDS, Protection
from broker_py.broker.queue_locks import QueueLocks
from broker_py.broker.registration import Master, Registration
from broker_py.broker.replica_log import StoreLog
from broker_py.broker.request_modes import RequestModes
from broker_py.broker.schedule import ScheduleService
from broker_py.broker.statistics import Statistics
from broker_py.broker.store_owner import StoreOwner
from broker_py.broker.timers import TimerService
from broker_py.broker.topic_queues import TopicQueues
from broker_py.broker.topics import TopicTable
from broker_py.broker.transaction_checks import TransactionChecks
from broker_py.broker.upkeep import Upkeep
from broker_py.errors import StoreError
from broker_py.message.ids import UniqueIds, pack_host
from broker_py.model.data_version import DataVersion
from broker_py.model.topic import PERM_WRITE, SCHEDULE_TOPIC, TIMER_TOPIC, TopicConfig
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.config import ServerConfig
from broker_py.remoting.connection import Connection
from broker_py.remoting.outbox import Outbox
from broker_py.remoting.router import Router
from broker_py.remoting.server import RemotingServer
from broker_py.remoting.tls import TlsContexts
from broker_py.replication.acks import AckTable
from broker_py.replication.config import ReplicationConfig
from broker_py.replication.secret import Secret, read_secret
from broker_py.replication.sink import ReplicationSink
from broker_py.replication.source import ReplicationSource
from broker_py.seams import Clock, FileSystem
from broker_py.store.config import FlushDiskType, StoreConfig
from broker_py.store.flusher import Flusher
from broker_py.store.recovery import Progress, tell_nobody
from broker_py.store.store import Store
from broker_py.store.warmer import Warmer
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command
from broker_py.wire.headers.pull import ViewMessageRequest
from broker_py.wire.signing import Credentials

log = logging.getLogger(__name__)

FAST_PORT_BELOW: Final = 2
_TICK_SECONDS: Final = 0.1
_DRAIN_SECONDS: Final = 5.0
# An index that lags takes a piece of the log, a millisecond or two of work, and then leaves this long to others.
_INDEX_PAUSE_SECONDS: Final = 0.005


@dataclass(frozen=True, kw_only=True)
class BrokerSettings:
    """All that a broker is set to."""

    broker: BrokerConfig
    store: StoreConfig
    replication: ReplicationConfig
    server: ServerConfig


@dataclass(frozen=True, kw_only=True)
class Host:
    """The real world, as the command chose it: `memory_bytes` is the machine's, `pid` this process's.

    `recovering` hears how far the store's recovery is, `refusing` why messages are refused, None when they are not;
    `random(n)` returns n bytes that nobody can guess. `yaml` reads the access rules, `credentials` sign requests,
    and `tls` encrypts.
    """

    files: FileSystem
    clock: Clock
    memory_bytes: int
    pid: int
    recovering: Progress = tell_nobody
    refusing: Callable[[str | None], None] = lambda _: None
    random: Callable[[int], bytes] = secrets.token_bytes
    yaml: Yaml | None = None
    credentials: Credentials | None = None
    tls: TlsContexts | None = None


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

        directory = settings.store.store_path_root_dir + "/config"
        self.topics = TopicTable(config, MetadataFile(host.files, directory, "topics.json"), clock)
        self.groups = GroupTable(config, MetadataFile(host.files, directory, "subscriptionGroup.json"), clock)
        self.offsets = ConsumerOffsetTable(
            MetadataFile(host.files, directory, "consumerOffset.json"),
            clock,
            config.consumer_offset_update_version_step,
        )
        self.kept = KeptFiles(host.files, directory)
        self.modes = RequestModes(MetadataFile(host.files, directory, "messageRequestMode.json"))
        self.consumers = ConsumerTable(self._notify_members)
        self.producers = ProducerTable()
        self.locks = QueueLocks()
        self.parked = ParkedPulls()
        self.filters = MessageFilters(config)
        self.statistics = Statistics(clock.now_ms())
        self._upkeep = Upkeep()

        self._router = Router()
        self._outbox = Outbox(self._before_write)
        self._protection = Protection(
            config, settings.server, settings.replication, host.files, host.clock, host.yaml, host.tls
        )
        self._protection.guard(self._router)
        self._server = RemotingServer(
            settings.server, self._router, self._outbox, self._lost, host.tls, self.parked.writable
        )
        self._client = RemotingClient(
            self._router,
            self._outbox,
            on_close=self._lost_address,
            credentials=host.credentials,
            tls=self._protection.client_tls,
        )
        self._periodic = Periodic()

        self._ack_table = AckTable(replicas_to_wait_for(config, settings.replication))
        log_bytes = StoreLog(self.store)
        self._ha_port = ha_port(config, settings.replication)
        value = read_secret(host.files, settings.replication.ha_secret_file)
        secret = None if value is None else Secret(value, host.random)
        self._cold_reads = ColdReads(self.store, self._router)
        self._source = ReplicationSource(
            log_bytes,
            settings.replication,
            self._ack_table,
            self._slave_acknowledged,
            clock,
            secret=secret,
            fetch=self._cold_reads.fetch,
            secure=self._protection.secure_slave,
        )
        self._master_view = MasterView(self._client)
        describe = self._master_view.describe
        self._sink = (
            ReplicationSink(
                log_bytes,
                settings.replication,
                self._copied,
                clock,
                describe=describe,
                secret=secret,
                tls=self._protection.ha_tls,
            )
            if config.is_slave
            else None
        )
        self._sync = (
            MetadataSync(self._client, self.topics, self.groups, self.offsets, self.kept, self.modes)
            if config.is_slave
            else None
        )
        self._master_alive = False
        self._registration = Registration(config, self._ha_port, self._client, self._registered_topics, self._heard_of)

        self._sync_flush = settings.store.flush_disk_type is FlushDiskType.SYNC_FLUSH
        self._acks = AckPolicy(
            self.store,
            self._ack_table,
            settings.replication,
            self.statistics,
            clock,
            sync_flush=self._sync_flush,
            sync_replicas=replicas_to_wait_for(config, settings.replication),
            request_flush=self._flush,
            grown=self._source.wake,
            dispatched=self._dispatched,
        )
        self._own = OwnMessages(self.store, self._acks, _soon)
        self.pop = PopService(
            config,
            self.store,
            self.topics,
            self.groups,
            self.offsets,
            self._own,
            MetadataFile(host.files, directory, "consumerOrderInfo.json"),
            clock,
            store_host,
            _soon,
            self._cold_reads.fetch,
        )
        self._pop_handler = PopHandler(
            config,
            self.topics,
            self.groups,
            self.pop.popper,
            self.pop.waiting,
            self.filters,
            self.statistics,
            clock,
            self._cold_reads.wrap,
        )
        self._decisions = Decisions(config, self._own, store_host, clock)
        self._transaction_checks = TransactionChecks(
            config,
            self.store,
            self.topics,
            self.offsets,
            self.producers,
            self._own,
            self._decisions,
            self._cold_reads.read,
            store_host,
            clock,
        )
        self._replies = ReplyHandler(config, self.topics, self.producers, self._own, store_host, clock)
        self._schedule = ScheduleService(
            self.store,
            self._own,
            MetadataFile(host.files, directory, "delayOffset.json"),
            clock,
            lambda seconds, work: asyncio.get_running_loop().call_later(seconds, work),
            self._cold_reads.fetch,
        )
        self._timers = TimerService(
            self.store,
            self._own,
            host.files,
            clock,
            lambda seconds, work: asyncio.get_running_loop().call_later(seconds, work),
            self._cold_reads.fetch,
        )
        self._deferral = Deferral(settings.store, clock, self._timers.congested)
        self._flusher: Flusher[Any] | None = None
        self._checkpointer: Flusher[Any] | None = None
        self._indexer: Flusher[Any] | None = None
        self._timer_saver: Flusher[Any] | None = None
        unique_ids = UniqueIds(config.broker_ip1, host.pid, id(self) & 0x7FFFFFFF, clock)
        self._send = SendHandler(
            config,
            self.store,
            self.topics,
            self.groups,
            self._acks,
            self.statistics,
            unique_ids,
            store_host,
            clock,
            self._deferral,
        )
        self._send_back = SendBackHandler(config, self.store, self.topics, self.groups, self._own, self._deferral)
        self._pull = PullHandler(
            config,
            self.store,
            self.topics,
            self.groups,
            self.offsets,
            self.consumers,
            self.parked,
            self.filters,
            self.statistics,
            clock,
            lambda: self._master_alive,
        )
        queues = TopicQueues(self._client, lambda: self._settings.broker.namesrv_addr, clock)
        self._assignments = AssignmentHandler(config, self.modes, self.consumers, queues.queues)
        self._topic_handler = TopicHandler(config, self.store, self.topics, self.offsets)
        self._broker_handler = BrokerHandler(
            config,
            self.store,
            self.statistics,
            self._upkeep,
            clock,
            show_config,
            change_config,
            self._replication_status,
            lambda: {**self._schedule.figures(), **self._timers.figures()},
        )
        self._route()

    def _route(self) -> None:
        config, router = self._settings.broker, self._router
        for code in (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE):
            router.on_command(code, self._send.handle)
        for code in (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE):
            router.on_command(code, self._pull.handle)
        router.on(RequestCode.VIEW_MESSAGE_BY_ID, ViewMessageRequest, self._pull.view)
        OffsetHandler(self.store, self.topics, self.groups, self.offsets).register(router)
        CloneHandler(self.topics, self.offsets, self.consumers).register(router)
        ClientHandler(
            self.topics,
            self.groups,
            self.consumers,
            self.producers,
            self.locks,
            self.filters,
            self._host.clock,
            config.is_slave,
        ).register(router)
        self._topic_handler.register(router)
        GroupHandler(config, self.topics, self.groups, self.offsets).register(router)
        ProgressHandler(config, self.store, self.topics, self.groups, self.offsets, self.consumers).register(router)
        self._send_back.register(router)
        QueryHandler(self.store).register(router)
        RelayHandler(config, self.store, self.topics, self.groups, self.offsets, self.consumers).register(router)
        TransactionHandler(config, self.store, self._acks, self._own, self._decisions).register(router)
        self._replies.register(router)
        self._broker_handler.register(router)
        KeptHandler(self.kept).register(router)
        AclHandler(config, self._protection.acl).register(router)
        self._pop_handler.register(router)
        self._assignments.register(router)
        AckHandler(config, self.store, self.topics, self.pop.acker).register(router)
        self._protection.audit(router)
        self._cold_reads.register()

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
        began = self._host.clock.monotonic()
        self._owner.check()
        check_store(self._host.files, self._settings.store.store_path_root_dir)
        self.store.load()
        self._owner.claim()
        self._warn_of_lost_topics()
        self.topics.load()
        self.groups.load()
        self.offsets.load()
        self.modes.load()
        self.pop.load()
        self.store.on_arrival(self._arrived)
        self.store.admission.on_fault = self._fault_changed
        self.store.copied_end = self._source.copied_end
        self.store.dispatch(self._acks.visible())
        if not config.is_slave:
            self._transaction_checks.start()
        log.info(
            "store %s is open after %.2f s: log from %d to %d",
            self._settings.store.store_path_root_dir,
            self._host.clock.monotonic() - began,
            self.store.log.min_offset,
            self.store.written.value,
        )
        self.pop.start()
        post = asyncio.get_running_loop().call_soon_threadsafe
        self._flusher = Flusher(self.store.start_flush, self.store.finish_flush, post, "flusher")
        self._checkpointer = Flusher(self.store.start_checkpoint, self.store.finish_checkpoint, post, "checkpointer")
        self._timer_saver = Flusher(self._timers.start_checkpoint, self._timers.finish_checkpoint, post, "timers")
        self._indexer = Flusher(self.store.start_index_read, self.store.finish_index_read, post, "indexer")
        self._cold_reads.warmer = Warmer(self._host.files, post)
        await self._source.start(self._settings.server.bind_address, self._ha_port)
        await self._server.start()
        self.topics.on_change = self._registration.changed
        if not config.is_slave:
            self._schedule.start()
            if self._settings.store.timer_wheel_enable:
                self._timers.start()
        self._registration.start()
        self._start_periodic()
        if self.store.admission.fault is not None:
            self._fault_changed()

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

        def store() -> StoreConfig:
            return self._settings.store

        every(lambda: _TICK_SECONDS, self._tick)
        every(lambda: store().flush_interval_commit_log / 1000, self._flush)
        every(lambda: store().flush_interval_consume_queue / 1000, self.store.write_out)
        every(lambda: store().flush_consume_queue_thorough_interval / 1000, self._save_checkpoint)
        every(lambda: _INDEX_PAUSE_SECONDS if self.store.index_lag_bytes else 1.0, self._complete_index)
        every(lambda: self._clean_seconds, self._clean)
        every(lambda: self._settings.broker.flush_consumer_offset_interval / 1000, self._save_offsets)
        every(self.pop.pause_seconds, self.pop.step)
        every(lambda: store().timer_flush_interval_ms / 1000, self._save_timers)
        every(lambda: store().flush_delay_offset_interval / 1000, self._save_delay_offsets)
        every(lambda: 1.0, self._each_second)
        every(lambda: 10.0, self._expire_clients)
        every(lambda: REFRESH_SECONDS, self._protection.refresh)
        if not self._settings.broker.is_slave:
            every(lambda: self._settings.broker.transaction_op_batch_interval / 1000, self._decisions.write)
            every(lambda: self._settings.broker.transaction_check_interval / 1000, self._transaction_checks.run)
        if self._sink is not None:
            self._periodic.keep(self._sink.run())
        if self._sync is not None:
            self._periodic.keep(self._sync.run())

    async def stop(self) -> None:
        """Leave the name servers, answer what waits, flush, and let go of the store."""
        await self._registration.stop()
        self._schedule.stop()
        self._timers.stop()
        deadline = self._host.clock.monotonic() + _DRAIN_SECONDS
        while self._acks.waiting and self._host.clock.monotonic() < deadline:
            await asyncio.sleep(0.01)
        self.parked.release_all()
        self.pop.waiting.release_all()
        await asyncio.sleep(0)
        await self._server.stop()
        self._write_decisions()
        if self._sink is not None:
            await self._sink.stop()
        await self._periodic.stop()
        await self._source.stop()
        await self._client.close()
        for flusher in (self._flusher, self._checkpointer, self._indexer, self._timer_saver):
            if flusher is not None:
                flusher.stop()
        if self._cold_reads.warmer is not None:
            self._cold_reads.warmer.stop()
        self._transaction_checks.write_down()
        self._save_offsets()
        self._stop_delivering()
        self.store.admission.on_fault = lambda: None
        self.store.close()

    def _write_decisions(self) -> None:
        """What is not written down when the broker stops is checked again after its start."""
        try:
            self._decisions.write()
        except StoreError as error:
            log.warning("the last decisions about half messages are not written down: %s", error)

    # The log's end moves

    def _before_write(self) -> None:
        self._acks.commit()

    def _arrived(self, topic: str, queue_id: int, _next_offset: int, tags_code: int, _stored_ms: int) -> None:
        self.parked.arrived(topic, queue_id, tags_code)
        self.pop.waiting.arrived(topic, queue_id)
        if topic == SCHEDULE_TOPIC:
            self._schedule.arrived(queue_id, tags_code)
        elif topic == TIMER_TOPIC:
            self._timers.arrived()

    def _dispatched(self) -> None:
        self.parked.wake()
        self.pop.waiting.wake()

    def _slave_acknowledged(self) -> None:
        self._acks.advance()

    def _copied(self) -> None:
        """This slave's log has grown."""
        self._acks.advance()
        self._source.wake()

    def _flush(self) -> None:
        if self._flusher is not None and self.store.flushed.value < self.store.written.value:
            self._flusher.request(self._flushed)

    def _flushed(self, error: BaseException | None) -> None:
        if error is not None:
            self._acks.fail_waiting(str(error))
        elif self._sync_flush:
            self._acks.advance()

    def _save_checkpoint(self) -> None:
        if self._checkpointer is not None and not self._checkpointer.busy and self.store.admission.broken is None:
            self._checkpointer.request(self._checkpointed)

    def _checkpointed(self, error: BaseException | None) -> None:
        if error is not None:
            self._upkeep.failed("the checkpoint", error)
        else:
            self._upkeep.done("the checkpoint")

    def _save_offsets(self) -> None:
        self.pop.revive_log.note_position()
        try:
            self.offsets.save()
            self.pop.order.save()
        except OSError as error:
            self._upkeep.failed("the consumer offsets", error)
        else:
            self._upkeep.done("the consumer offsets")

    def _save_delay_offsets(self) -> None:
        try:
            self._schedule.save()
        except OSError as error:
            self._upkeep.failed("the offsets of delay levels", error)
        else:
            self._upkeep.done("the offsets of delay levels")

    def _save_timers(self) -> None:
        saver = self._timer_saver
        if saver is None or saver.busy or self.store.admission.fault is not None:
            return
        if self._timers.checkpoint_due():
            saver.request(self._timers_saved)

    def _timers_saved(self, error: BaseException | None) -> None:
        if error is not None:
            self._upkeep.failed("the checkpoint of timed messages", error)
        else:
            self._upkeep.done("the checkpoint of timed messages")

    def _stop_delivering(self) -> None:
        """What was delivered is made durable first, then that it was."""
        try:
            if self.store.flushed.value < self.store.written.value:
                self.store.flush_log()
        except StoreError as error:
            log.warning("some messages will be delivered once more: %s", error)
        self._save_delay_offsets()
        try:
            self._timers.checkpoint()
        except (StoreError, OSError) as error:
            log.warning("some timed messages will be delivered once more: %s", error)

    def _fault_changed(self) -> None:
        """Messages are refused, for another reason than before, or taken again: say so at once, everywhere."""
        fault = self.store.admission.fault
        if fault is None:
            log.info("messages are accepted again")
        else:
            log.error("messages are refused: %s", fault)
        if self.store.admission.broken is not None:
            self._acks.fail_waiting(self.store.admission.broken)
        self._registration.changed()
        self._host.refusing(fault)

    def _complete_index(self) -> None:
        if self._indexer is not None and not self._indexer.busy and self.store.index_read_due:
            self._indexer.request(lambda _: None)

    # Time passes

    def _tick(self) -> None:
        self.parked.expire(self._host.clock.monotonic())
        self.pop.waiting.expire(self._host.clock.monotonic())
        self._acks.expire()

    def _each_second(self) -> None:
        now_ms = self._host.clock.now_ms()
        self.statistics.sample(now_ms)
        self._transaction_checks.write_down()
        if self.store.checkpoint_due:
            self._save_checkpoint()
        if self.store.admission.full:
            self._make_room()

    def _clean(self) -> None:
        self._clean_seconds = self.store.clean(self._host.clock.now_ms()) / 1000
        self._timers.clean()

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
        self.locks.expire(now_ms)

    # Clients

    def _lost(self, connection: Connection) -> None:
        self.parked.drop(connection)
        self.pop.waiting.drop(connection)
        self.consumers.lost(connection)
        self.producers.lost(connection)

    def _lost_address(self, address: str) -> None:
        self._registration.lost(address)

    def _notify_members(self, group: ConsumerGroup) -> None:
        """Tell a group's members that they are more, or fewer: they divide the queues anew at once."""
        settings = self.groups.get(group.group)
        if not self._settings.broker.notify_consumer_ids_changed_enable:
            return
        if settings is not None and not settings.notify_consumer_ids_changed_enable:
            return
        for client in group.members.values():
            client.peer.send(Command(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED, {"consumerGroup": group.group}))

    # Name servers and the master

    def _registered_topics(self) -> tuple[dict[str, TopicConfig], DataVersion]:
        """The topics as name servers are told them: not writable while the store isn't."""
        topics, version = self.topics.registered(), self.topics.version
        if self.store.admission.fault is not None:
            topics = {name: replace(topic, perm=topic.perm & ~PERM_WRITE) for name, topic in topics.items()}
            version = replace(version, counter=version.counter + (1 << 32))
        return topics, version

    def _heard_of(self, master: Master) -> None:
        if self._sink is not None and self._sync is not None:
            alive = master.address is not None
            if alive != self._master_alive:
                log.info("master of %s: %s", self._settings.broker.broker_name, master.address or "none is registered")
            self._master_alive = alive
            self._sync.set_master(master.address)
            self._master_view.set_master(master.address)
            if master.ha_address is not None and not self._settings.replication.ha_master_address:
                self._sink.set_master(master.ha_address)

    def _replication_fault(self) -> str:
        """What keeps this slave from copying, and which slaves this broker has sent away; empty when nothing does."""
        faults = [f"slave {refusal.peer} was refused: {refusal.reason}" for refusal in self._source.refusals()]
        if self._sink is not None and self._sink.status.fault is not None:
            faults.append(f"master {self._sink.status.master}: {self._sink.status.fault}")
        if self._sync is not None and self._sync.fault is not None:
            faults.append(f"topics, groups and offsets were not copied: {self._sync.fault}")
        return "; ".join(faults)

    def _replication_status(self) -> dict[str, Any]:
        """The body of request 907 (remoting protocol/body/HARuntimeInfo); `fault` is ours."""
        return {**self._replication_runtime(), "fault": self._replication_fault()}

    def _replication_runtime(self) -> dict[str, Any]:
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
            "masterCommitLogMaxOffset": self.store.written.value,
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

    # Changed properties

    def configure(self, settings: BrokerSettings) -> None:
        """Follow properties that were changed while the broker runs."""
        self._settings = settings
        config = settings.broker
        self.topics.configure(config)
        self.groups.configure(config)
        self.store.configure(settings.store)
        self._deferral.configure(settings.store)
        self._send.configure(config)
        self._send_back.configure(config)
        self._pull.configure(config)
        self.filters.configure(config)
        self._pop_handler.configure(config)
        self._assignments.configure(config)
        self._topic_handler.configure(config)
        self._broker_handler.configure(config)
        self._registration.configure(config)
        self._decisions.configure(config)
        self._transaction_checks.configure(config)
        self._replies.configure(config)


def _soon(work: Callable[[], None]) -> object:
    """Have `work` called at the end of the event loop's turn."""
    return asyncio.get_running_loop().call_soon(work)
