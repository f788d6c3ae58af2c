"""Queues of a topic go when nobody misses them: by decisions alone, and against brokers under a manual clock."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker_py.admin.backlog import QueueBacklog
from broker_py.model.subscription import ConsumerData, Subscription
from broker_py.model.topic import TopicConfig
from broker_py.wire.headers.admin import CreateTopicRequest
from plugins.module_utils.cluster import ClusterFault
from plugins.module_utils.shrink_plan import Counts, Look, Settling, hidden_queues, plan, unread_sentences
from plugins.modules.topic_shrink import shrink
from tests.unit.client.fake_cluster import FakeCluster

# ---- Decisions


def steps(counts: dict[str, Counts], hidden: dict[str, int] | None = None) -> list[str]:
    return [str(step) for step in plan("T", counts, 8, hidden or {})]


def test_writers_leave_all_brokers_before_readers_leave_one() -> None:
    assert steps({"b": Counts(16, 16), "a": Counts(12, 12)}) == [
        "write_queues of T on a from 12 to 8",
        "write_queues of T on b from 16 to 8",
        "read_queues of T on a from 12 to 8",
        "read_queues of T on b from 16 to 8",
    ]


def test_what_an_interrupted_run_did_is_not_done_again() -> None:
    assert steps({"a": Counts(8, 8), "b": Counts(16, 8)}) == ["read_queues of T on b from 16 to 8"]
    assert steps({"a": Counts(8, 8), "b": Counts(4, 4)}) == []


def test_queues_with_messages_left_are_read_again_before_they_go() -> None:
    assert steps({"a": Counts(8, 8)}, {"a": 12}) == [
        "read_queues of T on a from 8 to 12",
        "read_queues of T on a from 12 to 8",
    ]


def backlog(queue_id: int, consumed: int | None, group: str = "G") -> QueueBacklog:
    return QueueBacklog(group=group, topic="T", queue_id=queue_id, min_offset=5, max_offset=9, consumed=consumed)


def test_only_what_is_left_in_queues_that_go_counts() -> None:
    found = {"a": [backlog(7, 6), backlog(8, 9), backlog(9, 6)], "b": [backlog(8, 2)]}
    assert unread_sentences(found, 8, []) == (
        "the group G has 3 messages left in queue 9 of a",
        "the group G has 4 messages left in queue 8 of b",
    )


def test_a_group_without_an_offset_has_consumed_nothing() -> None:
    assert unread_sentences({"a": [backlog(8, None)]}, 8, []) == (
        "the group G has 4 messages left in queue 8 of a, where it has no offset",
    )


def test_groups_that_are_ignored_are_not_waited_for() -> None:
    found = {"a": [backlog(8, 6, "dead")]}
    assert unread_sentences(found, 8, ["dead"]) == ()
    assert (hidden_queues(found, ["dead"]), hidden_queues(found, [])) == ({}, {"a": 9})


def test_it_is_settled_when_ends_and_routes_have_stood_still_for_long_enough() -> None:
    settling = Settling(35, now=0)
    assert settling.remaining(Look({("a", 8): 1}), 10) == 35
    assert settling.remaining(Look({("a", 8): 1}), 30) == 15
    assert settling.remaining(Look({("a", 8): 2}), 40) == 35
    assert settling.remaining(Look({("a", 8): 2}, open_routes=("stale",)), 60) == 35
    assert settling.remaining(Look({("a", 8): 2}), 95) == 0


# ---- Against brokers


class World:
    """Time, and what happens in it: `events` are done when their second has come."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [each for each in self.events if each[0] <= self.now]:
            self.events.remove(event)
            event[1]()


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
def _topic(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T", 4)
        store.fill("T", 0, [b"stays"])
        store.fill("T", 3, [b"1", b"2"])
        for queue_id in (0, 3):
            store.offsets["G", "T", queue_id] = 0


def consume(cluster: FakeCluster, group: str = "G") -> None:
    """Let a group consume all of queue 3 on both brokers."""
    for store in (cluster.store_a, cluster.store_b):
        store.offsets[group, "T", 3] = len(store.queue("T", 3))


def ask(cluster: FakeCluster, world: World, /, *, check_mode: bool = False, **params: Any) -> Any:
    usual = {
        "name": "T",
        "cluster": "C",
        "queues": 2,
        "timeout_seconds": 600,
        "settle_seconds": 35,
        "ignore_groups": [],
        "without_groups": False,
    }
    return cluster.ask(lambda client: shrink(client, {**usual, **params}, check_mode, world.time, world.sleep))


def counts(cluster: FakeCluster) -> list[tuple[int, int]]:
    topics = [cluster.store_a.topics["T"], cluster.store_b.topics["T"]]
    return [(topic.read_queue_nums, topic.write_queue_nums) for topic in topics]


ALL_STEPS = [
    "write_queues of T on broker-a from 4 to 2",
    "write_queues of T on broker-b from 4 to 2",
    "read_queues of T on broker-a from 4 to 2",
    "read_queues of T on broker-b from 4 to 2",
]


def test_readers_leave_once_clients_know_and_the_group_is_done(cluster: FakeCluster, world: World) -> None:
    seen: list[list[tuple[int, int]]] = []
    world.events = [(100, lambda: seen.append(counts(cluster))), (101, lambda: consume(cluster))]
    done = ask(cluster, world)
    assert (done["changed"], done["steps"]) == (True, ALL_STEPS)
    assert seen == [[(4, 2), (4, 2)]]
    assert counts(cluster) == [(2, 2), (2, 2)]
    assert 101 <= world.now < 110


def test_a_second_run_changes_nothing(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    ask(cluster, world)
    again = ask(cluster, world)
    assert (again["changed"], again["steps"]) == (False, [])
    assert again["diff"]["before"] == again["diff"]["after"]


def test_clients_get_the_time_to_fetch_routes_even_when_all_is_consumed(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    ask(cluster, world)
    assert 35 <= world.now < 40


def test_a_producer_with_an_old_route_makes_the_wait_begin_anew(cluster: FakeCluster, world: World) -> None:
    consume(cluster)

    def send_and_consume() -> None:
        cluster.store_a.fill("T", 3, [b"from an old route"])
        consume(cluster)

    world.events = [(30, send_and_consume)]
    ask(cluster, world)
    assert 65 <= world.now < 70


def test_check_mode_tells_the_plan_and_does_nothing(cluster: FakeCluster, world: World) -> None:
    assert ask(cluster, world, check_mode=True)["steps"] == ALL_STEPS
    assert (counts(cluster), world.now) == ([(4, 4), (4, 4)], 0)


def test_when_the_time_is_up_the_laggard_is_named_and_the_next_run_goes_on(cluster: FakeCluster, world: World) -> None:
    with pytest.raises(ClusterFault, match="run this again to go on") as caught:
        ask(cluster, world, timeout_seconds=60)
    assert caught.value.facts["waiting_for"] == [
        "the group G has 2 messages left in queue 3 of broker-a",
        "the group G has 2 messages left in queue 3 of broker-b",
    ]
    assert (caught.value.facts["changed"], caught.value.facts["steps"]) == (True, ALL_STEPS[:2])
    assert counts(cluster) == [(4, 2), (4, 2)]
    consume(cluster)
    assert ask(cluster, world)["steps"] == ALL_STEPS[2:]


def test_a_group_that_is_only_a_member_is_waited_for_on_every_broker(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    cluster.store_a.offsets["H", "T", 3] = 2
    with pytest.raises(ClusterFault) as caught:
        ask(cluster, world, timeout_seconds=60)
    [laggard] = caught.value.facts["waiting_for"]
    assert laggard == "the group H has 2 messages left in queue 3 of broker-b, where it has no offset"
    assert ask(cluster, world, ignore_groups=["H"])["changed"] is True


def test_a_message_in_the_last_moment_brings_the_readers_back(cluster: FakeCluster, world: World) -> None:
    consume(cluster)

    def send_late(request: CreateTopicRequest) -> None:
        if request.read_queue_nums == 2:
            cluster.b.before_put_topic = lambda _: None
            cluster.store_b.fill("T", 3, [b"late"])
            world.events.append((world.now + 60, lambda: consume(cluster)))

    cluster.b.before_put_topic = send_late
    done = ask(cluster, world)
    assert done["steps"] == [
        *ALL_STEPS,
        "read_queues of T on broker-b from 2 to 4",
        "read_queues of T on broker-b from 4 to 2",
    ]
    assert counts(cluster) == [(2, 2), (2, 2)]
    assert cluster.store_b.offsets["G", "T", 3] == 3


def test_a_message_that_a_run_left_behind_when_it_was_killed_is_given_to_its_readers(
    cluster: FakeCluster, world: World
) -> None:
    consume(cluster)
    ask(cluster, world)
    cluster.store_a.fill("T", 3, [b"came before the broker refused it"])
    world.events = [(world.now + 60, lambda: consume(cluster))]
    assert ask(cluster, world)["steps"] == [
        "read_queues of T on broker-a from 2 to 4",
        "read_queues of T on broker-a from 4 to 2",
    ]


def test_a_broker_that_does_not_catch_up_with_its_log_keeps_its_readers(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    cluster.a.runtime["dispatchBehindBytes"] = "50"
    with pytest.raises(ClusterFault):
        ask(cluster, world, timeout_seconds=100)
    assert counts(cluster) == [(4, 2), (4, 2)]


def test_a_broker_that_is_away_for_a_moment_is_waited_for(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    world.events = [(20, lambda: cluster.b.refuse.update({202: (1, 1)}))]
    ask(cluster, world)
    assert 55 <= world.now < 60


def test_a_name_server_with_an_old_route_is_waited_for(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    cluster.name_server.write_queues_shown = 4
    with pytest.raises(ClusterFault) as caught:
        ask(cluster, world, timeout_seconds=60)
    assert caught.value.facts["waiting_for"][0] == (
        f"the name server {cluster.namesrv} gives out 4 write queues of broker-a"
    )


def test_a_topic_that_nobody_consumes_is_refused_while_the_queues_hold_messages(
    cluster: FakeCluster, world: World
) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.offsets.clear()
    with pytest.raises(ClusterFault, match="no group consumes T, and the queues from 2 on hold 4 messages"):
        ask(cluster, world)
    assert counts(cluster) == [(4, 4), (4, 4)]
    assert ask(cluster, world, without_groups=True)["changed"] is True


def test_producers_of_an_ordered_topic_are_told_by_its_order_configuration(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    cluster.name_server.order_conf["T"] = "broker-a:4;broker-b:4;broker-z:4"
    ask(cluster, world)
    assert cluster.name_server.order_conf["T"] == "broker-a:2;broker-b:2;broker-z:4"


def test_nothing_but_the_numbers_of_queues_changes(cluster: FakeCluster, world: World) -> None:
    consume(cluster)
    before = TopicConfig(topic_name="T", read_queue_nums=4, write_queue_nums=4, perm=4, topic_sys_flag=1, order=True)
    cluster.store_a.topics["T"] = before
    ask(cluster, world)
    assert cluster.store_a.topics["T"] == replace(before, read_queue_nums=2, write_queue_nums=2)


def test_a_topic_that_is_nowhere_is_refused(cluster: FakeCluster, world: World) -> None:
    with pytest.raises(ClusterFault, match="no broker of C has a topic U"):
        ask(cluster, world, name="U")


@pytest.mark.parametrize(("wrong", "why"), [({"queues": 0}, "queues is 0"), ({"name": "TBW102"}, "keeps its queues")])
def test_what_can_not_be_meant_is_refused(cluster: FakeCluster, world: World, wrong: Any, why: str) -> None:
    with pytest.raises(ClusterFault, match=why):
        ask(cluster, world, **wrong)


def test_members_without_offsets_count_as_consumers(cluster: FakeCluster, world: World) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.offsets.clear()
        subscriptions = (Subscription(topic="T", sub_string="*"),)
        store.join("10.0.0.9@1#1", ConsumerData(group_name="G", subscriptions=subscriptions))
    with pytest.raises(ClusterFault) as caught:
        ask(cluster, world, timeout_seconds=40)
    assert len(caught.value.facts["waiting_for"]) == 2
