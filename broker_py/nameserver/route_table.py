"""The name server's knowledge: who lives, and where the topics are. Pure; time and connections come as arguments.

Source: namesrv routeinfo/RouteInfoManager of 5.1.0, whose rules for brokers of 4.9 and 5.x are kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.model.route import MASTER_ID, BrokerData, ClusterInfo, QueueData, TopicRoute
from broker_py.nameserver.broker_set import BrokerSet, Member
from broker_py.nameserver.topic_queues import TopicQueues
from broker_py.wire.codes import ResponseCode
from broker_py.wire.register_body import RegisterBody

DEFAULT_TIMEOUT_MS: Final = 120_000


@dataclass(frozen=True, kw_only=True)
class BrokerIdentity:
    """One broker, as its requests name it."""

    cluster: str
    broker_name: str
    broker_id: int
    address: str


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What a broker says of itself. `enable_acting_master` is None from brokers before 5.0."""

    broker: BrokerIdentity
    ha_address: str
    body: RegisterBody
    timeout_ms: int | None = None
    enable_acting_master: bool | None = None
    zone_name: str | None = None
    peer: object = None


@dataclass(frozen=True, kw_only=True)
class LowestIdChange:
    """The lowest id among a name's brokers is another one now: `members` are those that are left."""

    broker_name: str
    members: dict[int, str]
    offline_address: str | None = None
    ha_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The outcome of a registration; the addresses are those of a slave's master."""

    is_new: bool = False
    ha_address: str | None = None
    master_address: str | None = None
    lowest_id_change: LowestIdChange | None = None


@dataclass(frozen=True, kw_only=True)
class Departed:
    """A broker that is no longer in the table."""

    broker: BrokerIdentity
    peer: object
    lowest_id_change: LowestIdChange | None = None


class RouteTable:
    """Brokers by name, topics by name. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._sets: dict[str, BrokerSet] = {}
        self._queues = TopicQueues()

    # Brokers come and go

    def register(self, registration: Registration, now: float) -> Registered:
        """Take a broker in, or anew; RequestRefused when it starts with a single topic.

        One topic alone is how a broker announces a new topic of its many, so the others must be known before.
        """
        broker, body = registration.broker, registration.body
        known = self._sets.get(broker.broker_name)
        if len(body.topics) == 1 and (known is None or broker.broker_id not in known.members):
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "register broker failed")
        brokers = known or BrokerSet(name=broker.broker_name, cluster=broker.cluster)
        lowest_before = brokers.lowest_id if brokers.members else MASTER_ID
        previous = self._take_address(brokers, broker)
        occupant = brokers.members.get(broker.broker_id)
        if occupant is not None and occupant.address != broker.address and _is_newer(occupant, body.data_version):
            return Registered()
        self._sets[broker.broker_name] = brokers
        brokers.cluster = broker.cluster
        brokers.enable_acting_master = bool(registration.enable_acting_master)
        brokers.zone_name = registration.zone_name
        brokers.members[broker.broker_id] = _member(registration, now)
        unchanged = occupant is not None and previous is not None and previous.data_version == body.data_version
        self._take_topics(registration, brokers, unchanged)
        return self._registered(registration, brokers, previous is None, broker.broker_id < lowest_before)

    @staticmethod
    def _take_address(brokers: BrokerSet, broker: BrokerIdentity) -> Member | None:
        """Return what is known of the registering address; under another id (a slave became master) it goes."""
        previous = brokers.member_at(broker.address)
        for broker_id in list(brokers.members):
            if broker_id != broker.broker_id and brokers.members[broker_id].address == broker.address:
                del brokers.members[broker_id]
        return previous

    def _take_topics(self, registration: Registration, brokers: BrokerSet, unchanged: bool) -> None:
        """Topics are the master's to tell; of brokers since 5.0 also the lowest slave's, who can't be written to."""
        broker, body = registration.broker, registration.body
        is_master = broker.broker_id == MASTER_ID
        if not is_master and (registration.enable_acting_master is None or broker.broker_id != brokers.lowest_id):
            return
        self._queues.take(broker.broker_name, body.topics.values(), only_missing=unchanged, writable=is_master)
        if not unchanged:
            self._queues.take_mappings(broker.broker_name, body.mapping_infos)

    @staticmethod
    def _registered(registration: Registration, brokers: BrokerSet, is_new: bool, lowest_changed: bool) -> Registered:
        broker = registration.broker
        master = brokers.members.get(MASTER_ID) if broker.broker_id != MASTER_ID else None
        change = LowestIdChange(
            broker_name=brokers.name, members=brokers.addresses(), ha_address=registration.ha_address
        )
        return Registered(
            is_new=is_new,
            ha_address=master.ha_address if master else None,
            master_address=master.address if master else None,
            lowest_id_change=change if lowest_changed else None,
        )

    def unregister(self, leaving: Iterable[BrokerIdentity]) -> list[Departed]:
        """Remove brokers, and with the last one of a name its topics; unknown ones are passed over."""
        departed: list[Departed] = []
        for broker in leaving:
            brokers = self._sets.get(broker.broker_name)
            if brokers is not None and brokers.cluster == broker.cluster:
                for broker_id in [i for i, member in brokers.members.items() if member.address == broker.address]:
                    departed.append(self._remove(brokers, broker_id))
        return departed

    def unregister_peer(self, peer: object) -> list[Departed]:
        """Remove the brokers whose last registration came from `peer`."""
        gone = [(brokers, i) for brokers in self._sets.values() for i, m in brokers.members.items() if m.peer is peer]
        return [self._remove(brokers, broker_id) for brokers, broker_id in gone]

    def expire(self, now: float) -> list[Departed]:
        """Remove the brokers that were silent for longer than they promised to be."""
        dead = [
            (brokers, broker_id)
            for brokers in self._sets.values()
            for broker_id, member in brokers.members.items()
            if member.last_seen + member.timeout < now
        ]
        return [self._remove(brokers, broker_id) for brokers, broker_id in dead]

    def _remove(self, brokers: BrokerSet, broker_id: int) -> Departed:
        was_lowest = broker_id == brokers.lowest_id
        member = brokers.members.pop(broker_id)
        change: LowestIdChange | None = None
        if not brokers.members:
            del self._sets[brokers.name]
            self._queues.remove_broker(brokers.name)
        elif brokers.enable_acting_master:
            if not brokers.has_master:
                self._queues.wipe_write_perm(brokers.name)
            if was_lowest:
                change = LowestIdChange(
                    broker_name=brokers.name, members=brokers.addresses(), offline_address=member.address
                )
        broker = BrokerIdentity(
            cluster=brokers.cluster, broker_name=brokers.name, broker_id=broker_id, address=member.address
        )
        return Departed(broker=broker, peer=member.peer, lowest_id_change=change)

    # Signs of life

    def touch(self, cluster: str, broker_name: str, address: str, now: float) -> None:
        """Note that a broker lives; one that is unknown has to register first."""
        member = self._member(cluster, broker_name, address)
        if member is not None:
            member.last_seen = now

    def data_version(self, cluster: str, broker_name: str, address: str) -> DataVersion | None:
        """Return the version of a broker's topics when it last registered; None for an unknown one."""
        member = self._member(cluster, broker_name, address)
        return None if member is None else member.data_version

    def _member(self, cluster: str, broker_name: str, address: str) -> Member | None:
        brokers = self._sets.get(broker_name)
        return brokers.member_at(address) if brokers is not None and brokers.cluster == cluster else None

    # Questions

    def route(self, topic: str) -> TopicRoute | None:
        """Return where a topic is; None when no living broker has it."""
        queues = self._queues.of(topic)
        sets = [self._sets[name] for name in queues if name in self._sets]
        if not sets:
            return None
        servers = {m.address: list(m.filter_servers) for s in sets for m in s.members.values() if m.filter_servers}
        return TopicRoute(
            queue_datas=tuple(queues.values()),
            broker_datas=tuple(brokers.to_data() for brokers in sets),
            topic_queue_mapping_by_broker=self._queues.mappings_of(topic),
            filter_server_table=servers,
        )

    def cluster_info(self) -> ClusterInfo:
        """Return all brokers, by name and by cluster."""
        clusters: dict[str, tuple[str, ...]] = {}
        for brokers in self._sets.values():
            clusters[brokers.cluster] = (*clusters.get(brokers.cluster, ()), brokers.name)
        return ClusterInfo(brokers={name: brokers.to_data() for name, brokers in self._sets.items()}, clusters=clusters)

    def member_group(self, cluster: str, broker_name: str) -> BrokerData:
        """Return the brokers of a name; without addresses when it is unknown."""
        brokers = self._sets.get(broker_name)
        addresses = {} if brokers is None else brokers.addresses()
        return BrokerData(cluster=cluster, broker_name=broker_name, broker_addrs=addresses)

    @property
    def queues(self) -> TopicQueues:
        """The topics, for questions and changes that concern no broker's life."""
        return self._queues

    def names_in(self, cluster: str) -> list[str]:
        """Return the broker names of a cluster."""
        return [brokers.name for brokers in self._sets.values() if brokers.cluster == cluster]

    # Topics without their brokers' doing

    def register_topic(self, topic: str, queue_datas: tuple[QueueData, ...]) -> None:
        """Make the route of a topic that is not there yet; nothing happens when one of its brokers is unknown."""
        if queue_datas and not self._queues.of(topic) and all(q.broker_name in self._sets for q in queue_datas):
            self._queues.add_topic(topic, queue_datas)

    def delete_topic(self, topic: str, cluster: str | None) -> None:
        """Forget a topic, in one cluster or everywhere."""
        self._queues.remove_topic(topic, self.names_in(cluster) if cluster else None)


def _member(registration: Registration, now: float) -> Member:
    timeout_ms = DEFAULT_TIMEOUT_MS if registration.timeout_ms is None else registration.timeout_ms
    return Member(
        address=registration.broker.address,
        ha_address=registration.ha_address,
        data_version=registration.body.data_version,
        last_seen=now,
        timeout=timeout_ms / 1000,
        peer=registration.peer,
        filter_servers=registration.body.filter_servers,
    )


def _is_newer(occupant: Member, data_version: DataVersion) -> bool:
    """True when the broker that has the id was elected after the one that claims it."""
    return occupant.data_version.state_version > data_version.state_version
