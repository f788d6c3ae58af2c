"""Who lives and where the topics are, rule by rule."""

import pytest

from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.model.route import QueueData
from broker_py.model.topic import TopicConfig
from broker_py.nameserver.route_table import BrokerIdentity, LowestIdChange, Registered, Registration, RouteTable
from broker_py.wire.register_body import RegisterBody

MASTER, SLAVE, SECOND_SLAVE = 0, 1, 2


def address_of(name: str, broker_id: int) -> str:
    return f"{name}.{broker_id}:10911"


def broker(name: str = "broker-a", broker_id: int = MASTER, address: str = "", cluster: str = "C") -> BrokerIdentity:
    address = address or address_of(name, broker_id)
    return BrokerIdentity(cluster=cluster, broker_name=name, broker_id=broker_id, address=address)


def topics(*names: str, perm: int = 6, queues: int = 4, sys_flag: int = 0) -> dict[str, TopicConfig]:
    return {
        name: TopicConfig(
            topic_name=name, perm=perm, read_queue_nums=queues, write_queue_nums=queues, topic_sys_flag=sys_flag
        )
        for name in names
    }


def registration(
    who: BrokerIdentity,
    has: dict[str, TopicConfig] | None = None,
    *,
    version: int = 1,
    state_version: int = 0,
    acting: bool | None = False,
    timeout_ms: int | None = None,
    peer: object = None,
    zone: str | None = None,
    filter_servers: tuple[str, ...] = (),
    mappings: dict[str, object] | None = None,
) -> Registration:
    return Registration(
        broker=who,
        ha_address=who.address.replace("10911", "10912"),
        body=RegisterBody(
            data_version=DataVersion(0, version, state_version),
            topics=topics("T", "U") if has is None else has,
            filter_servers=filter_servers,
            mapping_infos=mappings or {},
        ),
        timeout_ms=timeout_ms,
        enable_acting_master=acting,
        zone_name=zone,
        peer=peer,
    )


def table_of(*registrations: Registration, now: float = 0.0) -> RouteTable:
    table = RouteTable()
    for item in registrations:
        table.register(item, now)
    return table


def perms(table: RouteTable, topic: str) -> dict[str, int]:
    return {name: queues.perm for name, queues in table.queues.of(topic).items()}


def addresses(table: RouteTable, name: str = "broker-a") -> dict[int, str]:
    return table.member_group("C", name).broker_addrs


# Registration


def test_a_registered_brokers_topics_have_a_route_to_it() -> None:
    table = table_of(registration(broker(), topics("T", "U", queues=8)))
    route = table.route("T")
    assert route is not None
    assert route.to_json() == {
        "brokerDatas": [
            {
                "brokerAddrs": {"0": "broker-a.0:10911"},
                "brokerName": "broker-a",
                "cluster": "C",
                "enableActingMaster": False,
            }
        ],
        "filterServerTable": {},
        "queueDatas": [
            {"brokerName": "broker-a", "perm": 6, "readQueueNums": 8, "topicSysFlag": 0, "writeQueueNums": 8}
        ],
    }


def test_a_topic_that_nobody_has_has_no_route() -> None:
    assert table_of(registration(broker())).route("nobody's") is None


def test_a_topic_of_two_brokers_has_a_route_to_both() -> None:
    table = table_of(registration(broker("broker-a")), registration(broker("broker-b")))
    route = table.route("T")
    assert route is not None
    assert [queues.broker_name for queues in route.queue_datas] == ["broker-a", "broker-b"]
    assert [data.broker_name for data in route.broker_datas] == ["broker-a", "broker-b"]


def test_a_new_broker_with_a_single_topic_is_refused() -> None:
    table = RouteTable()
    with pytest.raises(RequestRefused, match="register broker failed") as refusal:
        table.register(registration(broker(), topics("T")), 0)
    assert refusal.value.code == 1
    assert table.cluster_info().brokers == {}


def test_a_new_id_with_a_single_topic_is_refused_too() -> None:
    table = table_of(registration(broker()))
    with pytest.raises(RequestRefused):
        table.register(registration(broker(broker_id=SLAVE), topics("T")), 0)


def test_a_new_broker_without_topics_is_taken() -> None:
    assert addresses(table_of(registration(broker(), {}))) == {0: "broker-a.0:10911"}


def test_a_known_broker_adds_a_topic_by_registering_that_one_only() -> None:
    table = table_of(registration(broker()))
    table.register(registration(broker(), topics("new"), version=2), 0)
    assert set(table.queues.topics()) == {"T", "U", "new"}


def test_a_topic_that_a_broker_no_longer_registers_stays() -> None:
    table = table_of(registration(broker()), registration(broker(), topics("U", "V"), version=2))
    assert table.route("T") is not None


def test_topics_change_only_with_the_data_version() -> None:
    table = table_of(registration(broker()), registration(broker(), topics("T", "U", queues=9), version=1))
    assert table.queues.of("T")["broker-a"].read_queue_nums == 4
    table.register(registration(broker(), topics("T", "U", queues=9), version=2), 0)
    assert table.queues.of("T")["broker-a"].read_queue_nums == 9


def test_a_topic_that_was_deleted_here_comes_back_even_with_the_same_data_version() -> None:
    table = table_of(registration(broker()))
    table.delete_topic("T", None)
    table.register(registration(broker()), 0)
    assert table.route("T") is not None


def test_the_first_registration_says_so_and_the_next_does_not() -> None:
    table = RouteTable()
    assert table.register(registration(broker()), 0).is_new
    assert not table.register(registration(broker()), 0).is_new


def test_a_slave_hears_of_its_master_and_a_master_of_nobody() -> None:
    table = RouteTable()
    assert table.register(registration(broker(broker_id=SLAVE)), 0).master_address is None
    assert table.register(registration(broker()), 0).master_address is None
    outcome = table.register(registration(broker(broker_id=SLAVE)), 0)
    assert (outcome.master_address, outcome.ha_address) == ("broker-a.0:10911", "broker-a.0:10912")


def test_an_address_has_one_id_so_a_slave_that_became_master_is_no_slave() -> None:
    table = table_of(registration(broker(broker_id=SLAVE)), registration(broker(broker_id=SECOND_SLAVE)))
    table.register(registration(broker(broker_id=MASTER, address=address_of("broker-a", SLAVE)), version=2), 0)
    assert addresses(table) == {0: "broker-a.1:10911", 2: "broker-a.2:10911"}


def test_an_id_may_move_to_another_address() -> None:
    table = table_of(registration(broker()), registration(broker(address="elsewhere:10911")))
    assert addresses(table) == {0: "elsewhere:10911"}


def test_an_address_of_an_older_election_is_ignored_and_told_nothing() -> None:
    table = table_of(registration(broker(), state_version=5))
    outcome = table.register(registration(broker(address="old:10911"), topics("X", "Y"), state_version=4), 0)
    assert outcome == Registered()
    assert addresses(table) == {0: "broker-a.0:10911"}
    assert table.route("X") is None


def test_topics_are_the_masters_to_tell() -> None:
    table = table_of(registration(broker()), registration(broker(broker_id=SLAVE), topics("X", "Y")))
    assert table.route("X") is None


def test_the_lowest_slave_tells_its_topics_without_write_permission() -> None:
    table = table_of(registration(broker(broker_id=SLAVE)))
    assert perms(table, "T") == {"broker-a": 4}
    table.register(registration(broker(broker_id=SECOND_SLAVE), topics("X", "Y")), 0)
    assert table.route("X") is None


def test_a_slave_from_before_acting_masters_tells_no_topics() -> None:
    assert table_of(registration(broker(broker_id=SLAVE), acting=None)).route("T") is None


def test_a_broker_that_moves_to_another_cluster_leaves_the_old_one() -> None:
    table = table_of(registration(broker(cluster="old")), registration(broker(cluster="C")))
    assert table.cluster_info().clusters == {"C": ("broker-a",)}


def test_filter_servers_are_in_the_route_while_they_are_registered() -> None:
    table = table_of(registration(broker(), filter_servers=("f:1",)))
    route = table.route("T")
    assert route is not None
    assert route.filter_server_table == {"broker-a.0:10911": ["f:1"]}
    table.register(registration(broker()), 0)
    route = table.route("T")
    assert route is not None
    assert route.filter_server_table == {}


def test_the_mappings_of_a_static_topic_are_handed_on_as_they_came() -> None:
    table = table_of(registration(broker(), mappings={"T": {"totalQueues": 8}}))
    route = table.route("T")
    assert route is not None
    assert route.to_json()["topicQueueMappingByBroker"] == {"broker-a": {"totalQueues": 8}}


# Life and death


def test_a_broker_that_is_silent_for_longer_than_120_seconds_is_dead() -> None:
    table = table_of(registration(broker(), peer="connection"), now=1000.0)
    assert table.expire(1120.0) == []
    (departed,) = table.expire(1120.1)
    assert (departed.broker, departed.peer) == (broker(), "connection")
    assert table.route("T") is None
    assert table.cluster_info().clusters == {}


def test_a_broker_may_promise_another_time() -> None:
    table = table_of(registration(broker(), timeout_ms=10_000))
    assert table.expire(10.0) == []
    assert len(table.expire(10.1)) == 1


def test_registration_and_heartbeat_are_signs_of_life() -> None:
    table = table_of(registration(broker("broker-a")), registration(broker("broker-b")), registration(broker("c")))
    table.register(registration(broker("broker-a")), 60)
    table.touch("C", "broker-b", "broker-b.0:10911", 60)
    assert [gone.broker.broker_name for gone in table.expire(121)] == ["c"]


def test_a_heartbeat_of_an_unknown_broker_is_nothing() -> None:
    table = RouteTable()
    table.touch("C", "broker-a", "broker-a.0:10911", 0)
    assert table.cluster_info().brokers == {}


def test_the_data_version_is_known_for_that_address_in_that_cluster_only() -> None:
    table = table_of(registration(broker(), version=7))
    assert table.data_version("C", "broker-a", "broker-a.0:10911") == DataVersion(0, 7)
    assert table.data_version("C", "broker-a", "elsewhere:10911") is None
    assert table.data_version("D", "broker-a", "broker-a.0:10911") is None
    assert table.data_version("C", "broker-b", "broker-a.0:10911") is None


def test_several_brokers_unregister_at_once_and_unknown_ones_are_passed_over() -> None:
    names = ("broker-a", "broker-b", "broker-c")
    table = table_of(*(registration(broker(name)) for name in names))
    departed = table.unregister(
        [broker("broker-a"), broker("nobody"), broker("broker-b"), broker("broker-c", cluster="D")]
    )
    assert [gone.broker.broker_name for gone in departed] == ["broker-a", "broker-b"]
    assert perms(table, "T") == {"broker-c": 6}


def test_the_last_broker_of_a_name_takes_its_topics_along() -> None:
    table = table_of(registration(broker(), mappings={"T": {}}), registration(broker(broker_id=SLAVE)))
    table.unregister([broker()])
    assert table.route("T") is not None
    table.unregister([broker(broker_id=SLAVE)])
    assert table.queues.topics() == []
    assert table.queues.mappings_of("T") is None


def test_what_is_left_without_a_master_keeps_its_write_permission() -> None:
    table = table_of(registration(broker()), registration(broker(broker_id=SLAVE)))
    table.unregister([broker()])
    assert perms(table, "T") == {"broker-a": 6}


def test_what_is_left_of_an_acting_masters_set_loses_write_permission() -> None:
    table = table_of(registration(broker(), acting=True), registration(broker(broker_id=SLAVE), acting=True))
    table.unregister([broker(broker_id=SLAVE)])
    assert perms(table, "T") == {"broker-a": 6}
    table.register(registration(broker(broker_id=SLAVE), acting=True), 0)
    table.unregister([broker()])
    assert perms(table, "T") == {"broker-a": 4}


def test_a_lost_connection_takes_the_brokers_along_that_registered_by_it() -> None:
    lost, kept = object(), object()
    table = table_of(
        registration(broker("broker-a"), peer=lost),
        registration(broker("broker-a", SLAVE), peer=kept),
        registration(broker("broker-b"), peer=lost),
    )
    assert [gone.broker for gone in table.unregister_peer(lost)] == [broker("broker-a"), broker("broker-b")]
    assert addresses(table) == {1: "broker-a.1:10911"}


def test_a_broker_that_came_back_is_not_hurt_by_the_end_of_its_old_connection() -> None:
    old, new = object(), object()
    table = table_of(registration(broker(), peer=old), registration(broker(), peer=new))
    assert table.unregister_peer(old) == []
    assert table.route("T") is not None


# The lowest id


def test_a_lower_id_that_comes_is_a_change_for_those_that_are_there() -> None:
    table = table_of(registration(broker(broker_id=SLAVE)))
    outcome = table.register(registration(broker()), 0)
    assert outcome.lowest_id_change == LowestIdChange(
        broker_name="broker-a",
        members={0: "broker-a.0:10911", 1: "broker-a.1:10911"},
        ha_address="broker-a.0:10912",
    )
    assert table.register(registration(broker(broker_id=SECOND_SLAVE)), 0).lowest_id_change is None


def test_the_first_of_a_name_changes_nothing_for_nobody() -> None:
    assert RouteTable().register(registration(broker(broker_id=SLAVE)), 0).lowest_id_change is None


@pytest.mark.parametrize("acting", [True, False])
def test_the_lowest_that_leaves_is_a_change_where_a_slave_may_act(acting: bool) -> None:
    table = table_of(registration(broker(), acting=acting), registration(broker(broker_id=SLAVE), acting=acting))
    (gone,) = table.unregister([broker()])
    change = LowestIdChange(broker_name="broker-a", members={1: "broker-a.1:10911"}, offline_address="broker-a.0:10911")
    assert gone.lowest_id_change == (change if acting else None)


# Questions and changes about topics


def test_cluster_info_lists_brokers_by_name_and_names_by_cluster() -> None:
    table = table_of(
        registration(broker("broker-a")),
        registration(broker("broker-a", SLAVE)),
        registration(broker("x", cluster="D")),
    )
    assert table.cluster_info().to_json() == {
        "brokerAddrTable": {
            "broker-a": {
                "brokerAddrs": {"0": "broker-a.0:10911", "1": "broker-a.1:10911"},
                "brokerName": "broker-a",
                "cluster": "C",
                "enableActingMaster": False,
            },
            "x": {"brokerAddrs": {"0": "x.0:10911"}, "brokerName": "x", "cluster": "D", "enableActingMaster": False},
        },
        "clusterAddrTable": {"C": ["broker-a"], "D": ["x"]},
    }


def test_write_permission_is_wiped_and_given_back_on_one_broker_only() -> None:
    table = table_of(registration(broker("broker-a"), topics("T", "U", perm=7)), registration(broker("broker-b")))
    assert table.queues.wipe_write_perm("broker-a") == 2
    assert perms(table, "T") == {"broker-a": 5, "broker-b": 6}
    assert table.queues.add_write_perm("broker-a") == 2
    assert perms(table, "T") == {"broker-a": 6, "broker-b": 6}
    assert table.queues.wipe_write_perm("nobody") == 0


def test_wiped_permission_lasts_until_the_next_changed_registration() -> None:
    table = table_of(registration(broker()))
    table.queues.wipe_write_perm("broker-a")
    table.register(registration(broker()), 0)
    assert perms(table, "T") == {"broker-a": 4}
    table.register(registration(broker(), version=2), 0)
    assert perms(table, "T") == {"broker-a": 6}


def test_a_topic_is_deleted_everywhere_or_in_one_cluster() -> None:
    table = table_of(registration(broker("broker-a")), registration(broker("x", cluster="D")))
    table.delete_topic("T", "D")
    assert perms(table, "T") == {"broker-a": 6}
    table.delete_topic("T", "nowhere")
    assert perms(table, "T") == {"broker-a": 6}
    table.delete_topic("T", None)
    assert table.route("T") is None
    assert table.route("U") is not None
    table.delete_topic("unknown", None)


def queue_data(name: str) -> QueueData:
    return QueueData(broker_name=name, read_queue_nums=1, write_queue_nums=1, perm=6)


def test_a_topic_is_registered_without_its_broker_only_where_that_makes_sense() -> None:
    table = table_of(registration(broker("broker-a")), registration(broker("broker-b")))
    table.register_topic("new", (queue_data("broker-a"), queue_data("broker-b")))
    assert perms(table, "new") == {"broker-a": 6, "broker-b": 6}
    table.register_topic("T", (queue_data("broker-a"),))
    assert table.queues.of("T")["broker-a"].read_queue_nums == 4
    table.register_topic("lost", (queue_data("broker-a"), queue_data("nobody")))
    table.register_topic("empty", ())
    assert table.route("lost") is None
    assert table.route("empty") is None


def test_topics_are_found_by_broker_and_by_flag() -> None:
    table = table_of(
        registration(broker("broker-a"), topics("unit", sys_flag=1) | topics("both", sys_flag=3)),
        registration(broker("broker-b"), topics("sub", sys_flag=2) | topics("plain")),
    )
    assert table.queues.topics_on(["broker-b"]) == ["sub", "plain"]
    assert table.queues.topics_on([]) == []
    assert table.queues.topics_flagged(lambda flag: flag & 1 != 0) == ["unit", "both"]


def test_the_members_of_an_unknown_name_are_none() -> None:
    assert RouteTable().member_group("C", "broker-a").broker_addrs == {}
