"""Which requests a broker serves, and by whom: its handlers, put together."""

from collections.abc import Callable
from dataclasses import dataclass

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.clients import ConsumerTable, ProducerTable
from broker_py.broker.cold_reads import ColdReads
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
from broker_py.broker.long_polling import ParkedPulls
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.protection import Protection
from broker_py.broker.queue_locks import QueueLocks
from broker_py.broker.replicas import Replicas
from broker_py.broker.services import Services
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.broker.statistics import Statistics
from broker_py.broker.tables import Tables
from broker_py.broker.topic_queues import TopicQueues
from broker_py.broker.upkeep import Upkeep
from broker_py.message.ids import UniqueIds
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.router import Router
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode
from broker_py.wire.headers.pull import ViewMessageRequest


@dataclass(frozen=True, kw_only=True)
class Served:
    """What the handlers work on. `show_config` and `change_config` are the broker's properties as text."""

    settings: BrokerSettings
    host: Host
    store: Store
    store_host: bytes
    tables: Tables
    consumers: ConsumerTable
    producers: ProducerTable
    locks: QueueLocks
    parked: ParkedPulls
    filters: MessageFilters
    statistics: Statistics
    upkeep: Upkeep
    acks: AckPolicy
    services: Services
    replicas: Replicas
    protection: Protection
    cold_reads: ColdReads
    client: RemotingClient
    show_config: Callable[[], str]
    change_config: Callable[[str], None]


class Requests:
    """The handlers of one broker."""

    def __init__(self, served: Served, router: Router) -> None:
        self._settings = served.settings
        config, clock = served.settings.broker, served.host.clock
        store, tables, services = served.store, served.tables, served.services
        topics, groups, offsets = tables.topics, tables.groups, tables.offsets
        unique_ids = UniqueIds(config.broker_ip1, served.host.pid, id(self) & 0x7FFFFFFF, clock)
        self._send = SendHandler(
            config,
            store,
            topics,
            groups,
            served.acks,
            served.statistics,
            unique_ids,
            served.store_host,
            clock,
            services.deferral,
        )
        self._send_back = SendBackHandler(config, store, topics, groups, services.own, services.deferral)
        self._pull = PullHandler(
            config,
            store,
            topics,
            groups,
            offsets,
            served.consumers,
            served.parked,
            served.filters,
            served.statistics,
            clock,
            lambda: served.replicas.master_alive,
        )
        self._pop = PopHandler(
            config,
            topics,
            groups,
            services.pop.popper,
            services.pop.waiting,
            served.filters,
            served.statistics,
            clock,
            served.cold_reads.wrap,
        )
        self._replies = ReplyHandler(config, topics, served.producers, services.own, served.store_host, clock)
        queues = TopicQueues(served.client, lambda: self._settings.broker.namesrv_addr, clock)
        self._assignments = AssignmentHandler(config, tables.modes, served.consumers, queues.queues)
        self._topics = TopicHandler(config, store, topics, offsets)
        self._broker = BrokerHandler(
            config,
            store,
            served.statistics,
            served.upkeep,
            clock,
            served.show_config,
            served.change_config,
            served.replicas.status,
            lambda: {**served.acks.figures(), **services.figures()},
        )
        self._route(served, router)

    def _route(self, served: Served, router: Router) -> None:
        config, store, tables = served.settings.broker, served.store, served.tables
        topics, groups, offsets, consumers = tables.topics, tables.groups, tables.offsets, served.consumers
        for code in (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE):
            router.on_command(code, self._send.handle)
        for code in (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE):
            router.on_command(code, self._pull.handle)
        router.on(RequestCode.VIEW_MESSAGE_BY_ID, ViewMessageRequest, self._pull.view)
        OffsetHandler(store, topics, groups, offsets).register(router)
        CloneHandler(topics, offsets, consumers).register(router)
        ClientHandler(
            topics,
            groups,
            consumers,
            served.producers,
            served.locks,
            served.filters,
            served.host.clock,
            config.is_slave,
        ).register(router)
        self._topics.register(router)
        GroupHandler(config, topics, groups, offsets).register(router)
        traffic = served.statistics.traffic
        ProgressHandler(config, store, topics, groups, offsets, consumers, traffic).register(router)
        self._send_back.register(router)
        QueryHandler(store).register(router)
        RelayHandler(config, store, topics, groups, offsets, consumers).register(router)
        services = served.services
        TransactionHandler(config, store, served.acks, services.own, services.decisions).register(router)
        self._replies.register(router)
        self._broker.register(router)
        KeptHandler(tables.kept).register(router)
        AclHandler(config, served.protection.acl).register(router)
        self._pop.register(router)
        self._assignments.register(router)
        AckHandler(config, store, topics, services.pop.acker, served.statistics).register(router)
        served.protection.audit(router)
        served.cold_reads.register()

    def configure(self, settings: BrokerSettings) -> None:
        """Follow changed properties from here on."""
        self._settings = settings
        config = settings.broker
        self._send.configure(config)
        self._send_back.configure(config)
        self._pull.configure(config)
        self._pop.configure(config)
        self._replies.configure(config)
        self._assignments.configure(config)
        self._topics.configure(config)
        self._broker.configure(config)
