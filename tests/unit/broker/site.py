"""All of a broker but its sockets, threads and timers: requests go in, replies come out, a test moves the rest."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.clients import ConsumerGroup, ConsumerTable, ProducerTable
from broker_py.broker.config import BrokerConfig, BrokerRole, replicas_to_wait_for
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.decisions import Decisions
from broker_py.broker.deferral import Deferral
from broker_py.broker.groups import GroupTable
from broker_py.broker.handlers.ack import AckHandler
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
from broker_py.broker.message_filter import MessageFilters
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.pop.service import PopService
from broker_py.broker.queue_locks import QueueLocks
from broker_py.broker.request_modes import RequestModes
from broker_py.broker.statistics import Statistics
from broker_py.broker.topics import TopicTable
from broker_py.broker.upkeep import Upkeep
from broker_py.errors import ConfigError
from broker_py.message.ids import UniqueIds, pack_host
from broker_py.message.record import Record, decode_record
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import TopicConfig
from broker_py.remoting.connection import Connection
from broker_py.remoting.router import Router
from broker_py.replication.acks import AckTable
from broker_py.replication.config import ReplicationConfig
from broker_py.store.config import FlushDiskType, StoreConfig
from broker_py.store.handles import NotCached
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import loads_object
from broker_py.wire.headers.pull import PULL_SUBSCRIPTION, PULL_SUSPEND, ViewMessageRequest
from broker_py.wire.headers.send import SendRequest
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer

IP = "192.168.56.11"
PORT = 10_911
STORE_HOST = pack_host(IP, PORT)
STORE = StoreConfig(
    store_path_root_dir="/store",
    mapped_file_size_commit_log=1 << 16,
    mapped_file_size_consume_queue=200,
    max_hash_slot_num=100,
    max_index_num=200,
)
CONFIG = BrokerConfig(broker_name="broker-a", broker_ip1=IP)


class Site:
    """A broker's tables, store and handlers on files in memory. Its tables are loaded; `T` has four queues."""

    def __init__(
        self,
        files: MemoryFiles | None = None,
        *,
        store: StoreConfig = STORE,
        replication: ReplicationConfig | None = None,
        sync_flush: bool = False,
        **broker: Any,
    ) -> None:
        self.files = files or MemoryFiles()
        self.clock = ManualClock()
        self.config = config = replace(CONFIG, **broker)
        self.master_alive = False
        self.store = Store(
            replace(store, flush_disk_type=FlushDiskType.SYNC_FLUSH if sync_flush else FlushDiskType.ASYNC_FLUSH),
            self.files,
            self.clock,
            STORE_HOST,
        )
        self.store.load()
        self.topics = TopicTable(config, self.metadata("topics.json"), self.clock)
        self.groups = GroupTable(config, self.metadata("subscriptionGroup.json"), self.clock)
        self.offsets = ConsumerOffsetTable(self.metadata("consumerOffset.json"), self.clock)
        self.topics.load()
        self.groups.load()
        self.offsets.load()
        self.kept = KeptFiles(self.files, "/store/config")
        self.modes = RequestModes(self.metadata("messageRequestMode.json"))
        self.modes.load()
        self.cluster_queues: dict[str, list[MessageQueue]] = {}
        self.changed_groups: list[str] = []
        self.consumers = ConsumerTable(self._group_changed)
        self.producers = ProducerTable()
        self.locks = QueueLocks()
        self.parked = ParkedPulls()
        self.filters = MessageFilters(config)
        self.statistics = Statistics(self.clock.now_ms())
        self.upkeep = Upkeep()
        replicas = replicas_to_wait_for(config, replication or ReplicationConfig())
        self.slaves = AckTable(replicas)
        self.flushes_wanted = 0
        self._end_of_turn: list[Callable[[], None]] = []
        self.acks = AckPolicy(
            self.store,
            self.slaves,
            replication or ReplicationConfig(),
            self.statistics,
            self.clock,
            sync_flush=sync_flush,
            sync_replicas=replicas,
            request_flush=self._want_flush,
            grown=lambda: None,
            dispatched=self._dispatched,
        )
        self.own = OwnMessages(self.store, self.acks, self._at_end_of_turn)
        self.random = 1
        self.fetches: list[tuple[NotCached, Callable[[OSError | None], None]]] = []
        self.congested = False
        self.deferral = Deferral(store, self.clock, lambda _: self.congested)
        self.pop = PopService(
            config,
            self.store,
            self.topics,
            self.groups,
            self.offsets,
            self.own,
            self.metadata("consumerOrderInfo.json"),
            self.clock,
            STORE_HOST,
            self._at_end_of_turn,
            self._fetch,
            self.deferral,
            lambda _below: self.random,
        )
        self.pop.load()
        self.store.on_arrival(self._arrived)
        self.store.dispatch(self.acks.visible())
        self.pop.start()
        self.pop.step()
        self.decisions = Decisions(config, self.own, STORE_HOST, self.clock)
        self.shown_config = "brokerName=broker-a\n"
        self.config_changes: list[str] = []
        self.router = Router()
        self._route()
        if "T" not in self.topics and config.broker_role is not BrokerRole.SLAVE:
            self.topics.put(TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=4))

    def _route(self) -> None:
        config, router = self.config, self.router
        unique_ids = UniqueIds(IP, 77, 1, self.clock)
        self.send_handler = SendHandler(
            config,
            self.store,
            self.topics,
            self.groups,
            self.acks,
            self.statistics,
            unique_ids,
            STORE_HOST,
            self.clock,
            self.deferral,
        )
        self.pull_handler = PullHandler(
            config,
            self.store,
            self.topics,
            self.groups,
            self.offsets,
            self.consumers,
            self.parked,
            self.filters,
            self.statistics,
            self.clock,
            lambda: self.master_alive,
        )
        for code in (RequestCode.SEND_MESSAGE, RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE):
            router.on_command(code, self.send_handler.handle)
        for code in (RequestCode.PULL_MESSAGE, RequestCode.LITE_PULL_MESSAGE):
            router.on_command(code, self.pull_handler.handle)
        router.on(RequestCode.VIEW_MESSAGE_BY_ID, ViewMessageRequest, self.pull_handler.view)
        OffsetHandler(self.store, self.topics, self.groups, self.offsets).register(router)
        CloneHandler(self.topics, self.offsets, self.consumers).register(router)
        ClientHandler(
            self.topics,
            self.groups,
            self.consumers,
            self.producers,
            self.locks,
            self.filters,
            self.clock,
            config.is_slave,
        ).register(router)
        TopicHandler(config, self.store, self.topics, self.offsets).register(router)
        GroupHandler(config, self.topics, self.groups, self.offsets).register(router)
        ProgressHandler(
            config, self.store, self.topics, self.groups, self.offsets, self.consumers, self.statistics.traffic
        ).register(router)
        RelayHandler(config, self.store, self.topics, self.groups, self.offsets, self.consumers).register(router)
        TransactionHandler(config, self.store, self.acks, self.own, self.decisions).register(router)
        ReplyHandler(config, self.topics, self.producers, self.own, STORE_HOST, self.clock).register(router)
        SendBackHandler(config, self.store, self.topics, self.groups, self.own, self.deferral).register(router)
        QueryHandler(self.store).register(router)
        BrokerHandler(
            config,
            self.store,
            self.statistics,
            self.upkeep,
            self.clock,
            lambda: self.shown_config,
            self._change_config,
            lambda: {"master": True},
        ).register(router)
        KeptHandler(self.kept).register(router)
        PopHandler(
            config,
            self.topics,
            self.groups,
            self.pop.popper,
            self.pop.waiting,
            self.filters,
            self.statistics,
            self.clock,
            lambda handle: handle,
        ).register(router)
        AssignmentHandler(config, self.modes, self.consumers, self._queues).register(router)
        AckHandler(config, self.store, self.topics, self.pop.acker, self.statistics).register(router)

    def metadata(self, name: str) -> MetadataFile:
        """Return one of the files of the store's config directory."""
        return MetadataFile(self.files, "/store/config", name)

    def _group_changed(self, group: ConsumerGroup) -> None:
        self.changed_groups.append(group.group)

    def _fetch(self, _owner: object, miss: NotCached, done: Callable[[OSError | None], None]) -> bool:
        self.fetches.append((miss, done))
        return True

    async def _queues(self, topic: str) -> list[MessageQueue] | None:
        return self.cluster_queues.get(topic)

    def _arrived(self, topic: str, queue_id: int, _next_offset: int, tags_code: int, _stored_ms: int) -> None:
        self.parked.arrived(topic, queue_id, tags_code)
        self.pop.waiting.arrived(topic, queue_id)

    def _dispatched(self) -> None:
        self.parked.wake()
        self.pop.waiting.wake()

    def _at_end_of_turn(self, work: Callable[[], None]) -> None:
        self._end_of_turn.append(work)

    def _want_flush(self) -> None:
        self.flushes_wanted += 1

    def _change_config(self, text: str) -> None:
        if "listenPort" in text:
            raise ConfigError("listenPort can't be changed while the broker runs")
        self.config_changes.append(text)

    # What the loop does

    def receive(self, *commands: Command, peer: MemoryPeer) -> None:
        """Handle commands as one batch, as they come out of one read of a socket."""
        for command in commands:
            self.router.dispatch(command, cast(Connection, peer))
        self.acks.commit()

    def end_turn(self) -> None:
        """Do what waits for the end of the event loop's turn."""
        while self._end_of_turn:
            self._end_of_turn.pop(0)()

    def flush(self) -> None:
        """Force the log to disk, and have that answered."""
        self.store.flush_log()
        self.acks.advance()

    def pass_time(self, ms: int) -> None:
        """Let time pass and answer whose time is up."""
        self.clock.advance(ms)
        self.parked.expire(self.clock.monotonic())
        self.pop.waiting.expire(self.clock.monotonic())
        self.acks.expire()

    # Requests

    def ask(
        self, code: int, ext: dict[str, Any] | None = None, body: Any = b"", peer: MemoryPeer | None = None
    ) -> Reply:
        """Have a request served and return its reply; a body that isn't bytes goes as JSON."""
        peer = peer or MemoryPeer()
        command = a_command(code, ext, body)
        self.receive(command, peer=peer)
        reply = peer.reply_to(command)
        assert reply is not None, "the request is not answered yet"
        return reply

    async def ask_later(self, code: int, ext: dict[str, Any] | None = None, body: Any = b"") -> Reply:
        """As `ask`, for a request that has to wait for somebody else."""
        peer = MemoryPeer()
        command = a_command(code, ext, body)
        self.receive(command, peer=peer)
        for _ in range(1000):
            await asyncio.sleep(0)
            reply = peer.reply_to(command)
            if reply is not None:
                return reply
        raise AssertionError("the request is not answered")

    def json(self, code: int, ext: dict[str, Any] | None = None, body: Any = b"") -> dict[Any, Any]:
        """Return the JSON body of a reply that says success."""
        reply = self.ask(code, ext, body)
        assert reply.code == 0, reply.remark
        return loads_object(body_of(reply))

    def send(self, body: bytes = b"hello", *, peer: MemoryPeer | None = None, **fields: Any) -> Reply:
        """Send a message; `fields` are those of `SendRequest`."""
        return self.ask(RequestCode.SEND_MESSAGE_V2, a_send(**fields), body, peer)

    def pull(self, *, peer: MemoryPeer | None = None, **fields: Any) -> Reply:
        """Pull with a subscription of everything, unless `fields` say otherwise."""
        return self.ask(RequestCode.PULL_MESSAGE, a_pull(**fields), peer=peer)

    def park(self, peer: MemoryPeer, **fields: Any) -> Command:
        """Pull with leave to wait 15 seconds; return the request."""
        wait = {"sysFlag": PULL_SUBSCRIPTION | PULL_SUSPEND, "suspendTimeoutMillis": 15_000}
        command = a_command(RequestCode.PULL_MESSAGE, a_pull(**{**wait, **fields}))
        self.receive(command, peer=peer)
        return command

    def stored(self, topic: str = "T", queue_id: int = 0, queue_offset: int = 0) -> Record:
        """Return a message as the store has it."""
        result = self.store.get(topic, queue_id, queue_offset, 1, 1 << 20)
        assert result.count == 1, result.status
        return decode_record(b"".join(result.chunks))

    def heartbeat(self, peer: MemoryPeer, group: str = "g", client_id: str = "c1", **subscriptions: str) -> Reply:
        """A consumer's heartbeat; `subscriptions` are topic and expression."""
        return self.ask(RequestCode.HEART_BEAT, {}, a_heartbeat(group, client_id, subscriptions), peer)


def a_command(code: int, ext: dict[str, Any] | None = None, body: Any = b"", **fields: Any) -> Command:
    """Return a request; values become text as they are on the wire, a body that isn't bytes becomes JSON."""
    texts = {
        name: ("true" if value else "false") if isinstance(value, bool) else str(value)
        for name, value in (ext or {}).items()
    }
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Command(code, texts, data, opaque=1, **fields)


def a_send(topic: str = "T", queue_id: int = 0, **fields: Any) -> dict[str, str]:
    """Return the ext fields of a send."""
    return SendRequest("pg", topic, queue_id, **{"born_timestamp": 1_700_000_000_000, **fields}).to_ext()


def a_pull(**fields: Any) -> dict[str, Any]:
    """Return the ext fields of a pull, with their names of the wire."""
    return {
        "consumerGroup": "g",
        "topic": "T",
        "queueId": 0,
        "queueOffset": 0,
        "maxMsgNums": 32,
        "sysFlag": PULL_SUBSCRIPTION,
        "commitOffset": 0,
        "suspendTimeoutMillis": 0,
        "subscription": "*",
        "subVersion": 0,
        **fields,
    }


def a_heartbeat(group: str, client_id: str, subscriptions: dict[str, str], **consumer: Any) -> dict[str, Any]:
    """Return the body of a consumer's heartbeat."""
    return {
        "clientID": client_id,
        "producerDataSet": [],
        "consumerDataSet": [
            {
                "groupName": group,
                "consumeType": "CONSUME_PASSIVELY",
                "messageModel": "CLUSTERING",
                "consumeFromWhere": "CONSUME_FROM_LAST_OFFSET",
                "subscriptionDataSet": [
                    {"topic": topic, "subString": expression, "subVersion": 1}
                    for topic, expression in subscriptions.items()
                ],
                **consumer,
            }
        ],
    }


def body_of(reply: Reply) -> bytes:
    """Return the whole body of a reply."""
    body = reply.body
    return bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else b"".join(body)


def records_of(reply: Reply) -> list[Record]:
    """Return the messages of a pull's reply."""
    data = body_of(reply)
    records: list[Record] = []
    position = 0
    while position < len(data):
        records.append(decode_record(data, position))
        position += records[-1].size
    return records


def bodies_of(reply: Reply) -> list[bytes]:
    """Return the bodies of the messages of a pull's reply."""
    return [bytes(record.body) for record in records_of(reply)]


def ext_of(reply: Reply) -> dict[str, str]:
    """Return the ext fields of a reply, which must have some."""
    assert reply.ext is not None, reply.remark
    return reply.ext
