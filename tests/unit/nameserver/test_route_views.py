"""Acting masters and zones."""

from broker_py.model.route import BrokerData, QueueData, TopicRoute
from broker_py.nameserver.route_views import nearby, with_acting_masters


def route(*brokers: BrokerData, perm: int = 4) -> TopicRoute:
    return TopicRoute(
        queue_datas=tuple(
            QueueData(broker_name=b.broker_name, read_queue_nums=1, write_queue_nums=1, perm=perm) for b in brokers
        ),
        broker_datas=brokers,
        filter_server_table={address: ["f"] for b in brokers for address in b.broker_addrs.values()},
    )


def broker(name: str, *ids: int, acting: bool = True, zone: str | None = None) -> BrokerData:
    return BrokerData(
        cluster="C",
        broker_name=name,
        broker_addrs={i: f"{name}.{i}" for i in ids},
        enable_acting_master=acting,
        zone_name=zone,
    )


def ids(view: TopicRoute) -> dict[str, dict[int, str]]:
    return {data.broker_name: data.broker_addrs for data in view.broker_datas}


def test_the_lowest_slave_is_shown_as_master_where_there_is_none() -> None:
    view = with_acting_masters("T", route(broker("a", 1, 2), broker("b", 0, 1)))
    assert ids(view) == {"a": {2: "a.2", 0: "a.1"}, "b": {0: "b.0", 1: "b.1"}}


def test_nobody_acts_where_the_set_does_not_allow_it() -> None:
    assert ids(with_acting_masters("T", route(broker("a", 1, acting=False)))) == {"a": {1: "a.1"}}


def test_nobody_acts_where_producers_could_write() -> None:
    assert ids(with_acting_masters("T", route(broker("a", 1), perm=6))) == {"a": {1: "a.1"}}


def test_brokers_that_look_for_their_own_set_see_the_real_ids() -> None:
    assert ids(with_acting_masters("rmq_sys_SYNC_BROKER_MEMBER_a", route(broker("a", 1)))) == {"a": {1: "a.1"}}


def test_the_route_that_was_asked_for_is_not_changed_by_showing_it() -> None:
    plain = route(broker("a", 1))
    with_acting_masters("T", plain)
    assert ids(plain) == {"a": {1: "a.1"}}


def test_a_zone_sees_its_own_brokers_and_those_without_a_master() -> None:
    view = nearby(
        route(broker("near", 0, zone="Z1"), broker("far", 0, 1, zone="z2"), broker("orphan", 1, zone="z2")), "z1"
    )
    assert list(ids(view)) == ["near", "orphan"]
    assert [queues.broker_name for queues in view.queue_datas] == ["near", "orphan"]
    assert list(view.filter_server_table) == ["near.0", "orphan.1"]


def test_a_broker_without_a_zone_is_far_from_all() -> None:
    assert ids(nearby(route(broker("a", 0)), "z1")) == {}
