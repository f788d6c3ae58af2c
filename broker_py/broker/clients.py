"""Who is connected: producers and consumers by group (broker client/ConsumerManager, ProducerManager)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from broker_py.model.subscription import ConsumerData, Subscription
from broker_py.remoting.peer import Peer


@dataclass
class Client:
    """One member of a group, by the connection it came on."""

    client_id: str
    peer: Peer
    language: int
    version: int
    last_heard_ms: int


@dataclass
class ConsumerGroup:
    """The members of a consumer group and what they said last (broker client/ConsumerGroupInfo)."""

    group: str
    consume_type: str
    message_model: str
    consume_from_where: str
    members: dict[Peer, Client] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)

    def client_ids(self) -> list[str]:
        """The ids of the members, each once, in the order they came."""
        return list(dict.fromkeys(client.client_id for client in self.members.values()))

    def member(self, client_id: str) -> Client | None:
        """Return a member by its id."""
        return next((client for client in self.members.values() if client.client_id == client_id), None)

    def update(self, data: ConsumerData) -> bool:
        """Take a member's subscriptions over; True when the set of topics is another now."""
        self.consume_type = data.consume_type
        self.message_model = data.message_model
        self.consume_from_where = data.consume_from_where
        changed = False
        for subscription in data.subscriptions:
            known = self.subscriptions.get(subscription.topic)
            if known is None:
                changed = True
            if known is None or subscription.sub_version > known.sub_version:
                self.subscriptions[subscription.topic] = subscription
        gone = self.subscriptions.keys() - {subscription.topic for subscription in data.subscriptions}
        for topic in gone:
            del self.subscriptions[topic]
        return changed or bool(gone)


class ConsumerTable:
    """Group → members. `on_change(group)` is called when a group's members or topics have changed."""

    def __init__(self, on_change: Callable[[ConsumerGroup], None]) -> None:
        self._groups: dict[str, ConsumerGroup] = {}
        self._groups_of: dict[Peer, dict[str, None]] = {}  # so that a lost connection costs what it had
        self._on_change = on_change

    def get(self, group: str) -> ConsumerGroup | None:
        """Return a group that has members, or None."""
        return self._groups.get(group)

    def heard(self, data: ConsumerData, client: Client) -> None:
        """A member's heartbeat."""
        group = self._groups.get(data.group_name)
        if group is None:
            group = ConsumerGroup(data.group_name, data.consume_type, data.message_model, data.consume_from_where)
            self._groups[data.group_name] = group
        known = group.members.get(client.peer)
        joined = known is None or known.client_id != client.client_id
        group.members[client.peer] = client
        self._groups_of.setdefault(client.peer, {})[group.group] = None
        if group.update(data) or joined:
            self._on_change(group)

    def left(self, group_name: str, peer: Peer) -> None:
        """A member says goodbye to a group."""
        group = self._groups.get(group_name)
        if group is not None and peer in group.members:
            self._remove(group, [peer])

    def lost(self, peer: Peer) -> None:
        """A connection ended."""
        for group_name in list(self._groups_of.get(peer, ())):
            self.left(group_name, peer)

    def expire(self, before_ms: int) -> list[Client]:
        """Drop the members last heard before a time; return them."""
        gone: list[Client] = []
        for group in list(self._groups.values()):
            silent = [client for client in group.members.values() if client.last_heard_ms < before_ms]
            if silent:
                gone.extend(silent)
                self._remove(group, [client.peer for client in silent])
        return gone

    def _remove(self, group: ConsumerGroup, peers: list[Peer]) -> None:
        for peer in peers:
            del group.members[peer]
            del self._groups_of[peer][group.group]
            if not self._groups_of[peer]:
                del self._groups_of[peer]
        if group.members:
            self._on_change(group)
        else:
            del self._groups[group.group]

    def subscribers_of(self, topic: str) -> set[str]:
        """The groups whose members subscribe to a topic."""
        return {group.group for group in self._groups.values() if topic in group.subscriptions}


class ProducerTable:
    """Producer group → members."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[Peer, Client]] = {}
        self._groups_of: dict[Peer, dict[str, None]] = {}
        self._by_id: dict[str, Client] = {}
        self._turn = 0

    def find(self, client_id: str) -> Client | None:
        """Return a client of whatever group by its id."""
        return self._by_id.get(client_id)

    def one_of(self, group: str) -> Client | None:
        """Return a member of a group that is connected and reads, another one each time; None without any."""
        clients = self._groups.get(group, {}).values()
        members = [client for client in clients if client.peer.is_open and client.peer.is_writable]
        self._turn += 1
        return members[self._turn % len(members)] if members else None

    def members(self, group: str) -> list[Client]:
        """The members of a group."""
        return list(self._groups.get(group, {}).values())

    def groups(self) -> dict[str, list[Client]]:
        """All groups that have members."""
        return {group: list(members.values()) for group, members in self._groups.items()}

    def heard(self, group: str, client: Client) -> None:
        """A member's heartbeat."""
        self._groups.setdefault(group, {})[client.peer] = client
        self._groups_of.setdefault(client.peer, {})[group] = None
        self._by_id[client.client_id] = client

    def left(self, group: str, peer: Peer) -> None:
        """A member says goodbye to a group."""
        members = self._groups.get(group, {})
        if peer not in members:
            return
        client = members.pop(peer)
        del self._groups_of[peer][group]
        if not members:
            del self._groups[group]
        if not self._groups_of[peer]:
            del self._groups_of[peer]
            known = self._by_id.get(client.client_id)
            if known is not None and known.peer is peer:
                del self._by_id[client.client_id]

    def lost(self, peer: Peer) -> None:
        """A connection ended."""
        for group in list(self._groups_of.get(peer, ())):
            self.left(group, peer)

    def expire(self, before_ms: int) -> list[Client]:
        """Drop the members last heard before a time; return them."""
        gone = [
            (group, client)
            for group, members in self._groups.items()
            for client in members.values()
            if client.last_heard_ms < before_ms
        ]
        for group, client in gone:
            self.left(group, client.peer)
        return [client for _, client in gone]
