"""The tables of connected clients."""

from broker_py.broker.clients import Client, ConsumerGroup, ConsumerTable, ProducerTable
from broker_py.model.subscription import ConsumerData, Subscription
from tests.unit.broker.peers import MemoryPeer


class Heard:
    """Keeps what a table tells: which groups changed, and who was in them."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, list[str]]] = []

    def __call__(self, group: ConsumerGroup) -> None:
        self.changes.append((group.group, group.client_ids()))


def a_client(client_id: str, peer: MemoryPeer | None = None, heard_ms: int = 0) -> Client:
    return Client(client_id, peer or MemoryPeer(), 0, 433, heard_ms)


def wants(*topics: str, group: str = "g", version: int = 1, expression: str = "*") -> ConsumerData:
    subscriptions = tuple(Subscription(topic=topic, sub_string=expression, sub_version=version) for topic in topics)
    return ConsumerData(group_name=group, subscriptions=subscriptions)


def test_all_members_are_told_when_one_joins() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    table.heard(wants("T"), a_client("a"))
    table.heard(wants("T"), a_client("b"))
    assert heard.changes == [("g", ["a"]), ("g", ["a", "b"])]


def test_a_heartbeat_that_says_the_same_again_is_not_told() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    client = a_client("a")
    table.heard(wants("T"), client)
    table.heard(wants("T", version=2, expression="A"), client)
    assert len(heard.changes) == 1


def test_another_topic_or_one_less_is_told() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    client = a_client("a")
    table.heard(wants("T"), client)
    table.heard(wants("T", "U"), client)
    table.heard(wants("U"), client)
    assert len(heard.changes) == 3
    group = table.get("g")
    assert group is not None
    assert set(group.subscriptions) == {"U"}


def test_only_a_newer_version_replaces_an_expression() -> None:
    table = ConsumerTable(Heard())
    client = a_client("a")
    table.heard(wants("T", version=5, expression="A"), client)
    table.heard(wants("T", version=4, expression="B"), client)
    group = table.get("g")
    assert group is not None
    assert group.subscriptions["T"].sub_string == "A"
    table.heard(wants("T", version=6, expression="C"), client)
    assert group.subscriptions["T"].sub_string == "C"


def test_one_connection_that_changes_its_client_id_is_a_new_member() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    peer = MemoryPeer()
    table.heard(wants("T"), a_client("a", peer))
    table.heard(wants("T"), a_client("b", peer))
    assert heard.changes[-1] == ("g", ["b"])


def test_the_same_client_on_two_connections_is_listed_once() -> None:
    table = ConsumerTable(Heard())
    table.heard(wants("T"), a_client("a"))
    table.heard(wants("T"), a_client("a"))
    group = table.get("g")
    assert group is not None
    assert group.client_ids() == ["a"]
    assert len(group.members) == 2


def test_the_others_are_told_when_a_member_leaves() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    leaving = MemoryPeer()
    table.heard(wants("T"), a_client("a", leaving))
    table.heard(wants("T"), a_client("b"))
    table.left("g", leaving)
    assert heard.changes[-1] == ("g", ["b"])
    told = len(heard.changes)
    table.left("g", leaving)
    table.left("unknown", leaving)
    assert len(heard.changes) == told


def test_a_group_without_members_is_gone_and_nobody_is_told() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    peer = MemoryPeer()
    table.heard(wants("T"), a_client("a", peer))
    table.left("g", peer)
    assert table.get("g") is None
    assert len(heard.changes) == 1


def test_a_lost_connection_leaves_all_its_groups() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    lost = MemoryPeer()
    for group in ("g", "h"):
        table.heard(wants("T", group=group), a_client("a", lost))
        table.heard(wants("T", group=group), a_client("b"))
    table.lost(lost)
    assert heard.changes[-2:] == [("g", ["b"]), ("h", ["b"])]


def test_members_that_are_silent_for_too_long_are_dropped() -> None:
    heard = Heard()
    table = ConsumerTable(heard)
    table.heard(wants("T"), a_client("old", heard_ms=100))
    table.heard(wants("T"), a_client("new", heard_ms=200))
    assert [client.client_id for client in table.expire(200)] == ["old"]
    assert heard.changes[-1] == ("g", ["new"])
    assert table.expire(200) == []


def test_the_subscribers_of_a_topic_are_known() -> None:
    table = ConsumerTable(Heard())
    table.heard(wants("T", "U", group="g"), a_client("a"))
    table.heard(wants("U", group="h"), a_client("b"))
    assert table.subscribers_of("T") == {"g"}
    assert table.subscribers_of("U") == {"g", "h"}


def test_producers_come_leave_are_lost_and_expire() -> None:
    table = ProducerTable()
    leaving, lost = MemoryPeer(), MemoryPeer()
    table.heard("g", a_client("leaving", leaving, 500))
    table.heard("g", a_client("lost", lost, 500))
    table.heard("g", a_client("silent", heard_ms=100))
    table.heard("g", a_client("stays", heard_ms=500))
    table.left("g", leaving)
    table.lost(lost)
    assert [client.client_id for client in table.expire(200)] == ["silent"]
    assert [client.client_id for client in table.members("g")] == ["stays"]
    assert set(table.groups()) == {"g"}


def test_a_producer_group_without_members_is_gone() -> None:
    table = ProducerTable()
    peer = MemoryPeer()
    table.heard("g", a_client("a", peer))
    table.left("g", peer)
    table.left("g", peer)
    assert table.groups() == {}
    assert table.members("g") == []
