"""What is wrong with a cluster, by what its name servers and brokers say."""

from dataclasses import replace
from typing import Any

from broker_py.admin.survey import BrokerAnswer, NameServerAnswer, Survey
from broker_py.admin.targets import BrokerAddress
from broker_py.client.brokers import ReplicationStatus, SlaveConnection
from broker_py.model.group import GroupConfig
from plugins.modules.cluster_info import brokers_of, name_servers_of, problems_of, sets_of, tell
from tests.unit.client.fake_cluster import FakeCluster

MASTER = BrokerAddress(cluster="C", broker_name="broker-a", broker_id=0, address="10.0.0.1:10911")
SLAVE = BrokerAddress(cluster="C", broker_name="broker-a", broker_id=1, address="10.0.0.2:11911")
ALL = {"cluster": "", "broker_name": "", "groups": False, "settings": False}


def connection(address: str, in_sync: bool = True) -> SlaveConnection:
    return SlaveConnection(address=address, acked=0, diff=0, in_sync=in_sync, bytes_per_second=0, sent=0)


def answer(broker: BrokerAddress, log_end: int = 100, **properties: str) -> BrokerAnswer:
    """A broker in good health; of slaves it says nothing."""
    return BrokerAnswer(
        runtime={
            "brokerVersionDesc": "V5_1_0",
            "brokerFault": "none",
            "commitLogMaxOffset": str(log_end),
            "commitLogMinOffset": "0",
            "putMessageTimesTotal": "7",
            "commitLogDiskRatio": "0.25",
        },
        properties={
            "brokerName": broker.broker_name,
            "brokerId": str(broker.broker_id),
            "brokerRole": "SLAVE" if broker.broker_id else "ASYNC_MASTER",
            "brokerPermission": "6",
            **properties,
        },
    )


def found(*addresses: BrokerAddress, **answers: BrokerAnswer) -> Survey:
    """Two name servers that report the same brokers; `master` and `slave` say something else than what is usual."""
    both = tuple(NameServerAnswer(address=f"10.0.0.{n}:9876", brokers=addresses) for n in (1, 2))
    usual = {each.address: answer(each) for each in addresses}
    named = {"master": MASTER.address, "slave": SLAVE.address}
    return Survey(name_servers=both, brokers={**usual, **{named[name]: each for name, each in answers.items()}})


def judged(survey: Survey, wanted: str = "any cluster") -> list[str]:
    brokers = brokers_of(survey)
    return problems_of(survey, brokers, sets_of(brokers, survey.brokers), wanted)


def slave_of(survey: Survey) -> dict[str, Any]:
    sets = sets_of(brokers_of(survey), survey.brokers)
    slave: dict[str, Any]
    [slave] = sets["broker-a"]["slaves"]
    return slave


def with_connections(*connections: SlaveConnection, log_end: int = 100) -> BrokerAnswer:
    status = ReplicationStatus(is_master=True, log_end=log_end, slaves=connections)
    return replace(answer(MASTER, log_end), replication=status)


def test_a_cluster_in_good_health_has_no_problems() -> None:
    assert judged(found(MASTER, SLAVE, master=with_connections(connection("10.0.0.2:40000")))) == []


def test_a_broker_is_told_with_its_own_words_and_with_who_reports_it() -> None:
    assert brokers_of(found(MASTER)) == [
        {
            "cluster": "C",
            "broker_name": "broker-a",
            "broker_id": 0,
            "address": "10.0.0.1:10911",
            "name_servers": ["10.0.0.1:9876", "10.0.0.2:9876"],
            "reachable": True,
            "role": "ASYNC_MASTER",
            "version": "V5_1_0",
            "permission": 6,
            "log_end": 100,
            "log_min": 0,
            "put_total": 7,
            "disk_ratio": 0.25,
        }
    ]


def test_an_empty_cluster_is_a_problem() -> None:
    assert judged(found(), "the cluster C") == ["no name server reports a broker of the cluster C"]


def test_no_name_server_at_all_is_a_problem() -> None:
    assert "no name server was asked" in judged(Survey(name_servers=(), brokers={}))[0]


def test_a_silent_name_server_is_a_problem_and_blamed_for_nothing_else() -> None:
    survey = found(MASTER)
    silent = NameServerAnswer(address="10.0.0.3:9876", error="it can't be connected to")
    survey = replace(survey, name_servers=(*survey.name_servers, silent))
    assert judged(survey) == ["the name server 10.0.0.3:9876 does not answer: it can't be connected to"]
    assert [(each["reachable"], each["brokers"]) for each in name_servers_of(survey)] == [
        (True, 1),
        (True, 1),
        (False, 0),
    ]


def test_a_broker_that_one_name_server_does_not_know_is_a_problem() -> None:
    survey = found(MASTER)
    forgetful = replace(survey.name_servers[1], brokers=())
    assert judged(replace(survey, name_servers=(survey.name_servers[0], forgetful))) == [
        "broker-a with id 0 at 10.0.0.1:10911 is reported by 10.0.0.1:9876 and not by 10.0.0.2:9876"
    ]


def test_a_silent_broker_is_a_problem_and_its_numbers_are_unknown() -> None:
    survey = found(MASTER, SLAVE, slave=BrokerAnswer(error="time is up"))
    assert judged(survey) == ["broker-a with id 1 at 10.0.0.2:11911 does not answer: time is up"]
    assert [each["log_end"] for each in brokers_of(survey)] == [100, None]
    assert slave_of(survey) == {"address": SLAVE.address, "broker_id": 1, "lag_bytes": None, "in_sync": False}


def test_another_broker_at_a_registered_address_is_a_problem() -> None:
    assert judged(found(MASTER, master=answer(MASTER, brokerName="broker-z"))) == [
        "broker-a with id 0 at 10.0.0.1:10911 says that it is broker-z with id 0"
    ]


def test_a_store_that_refuses_messages_is_a_problem() -> None:
    full = answer(MASTER)
    full.runtime["brokerFault"] = "the disk is full"
    assert judged(found(MASTER, master=full)) == [
        "broker-a with id 0 at 10.0.0.1:10911 refuses messages: the disk is full"
    ]


def test_what_a_broker_can_not_write_besides_messages_is_a_problem() -> None:
    unwell = answer(MASTER)
    unwell.runtime["brokerWarning"] = "the checkpoint can't be written: no room"
    assert judged(found(MASTER, master=unwell)) == [
        "broker-a with id 0 at 10.0.0.1:10911 is not well: the checkpoint can't be written: no room"
    ]


def test_a_permission_that_was_left_behind_is_a_problem() -> None:
    [problem] = judged(found(MASTER, master=answer(MASTER, brokerPermission="4")))
    assert "has brokerPermission 4 and not 6" in problem


def test_a_set_without_a_master_is_a_problem() -> None:
    assert judged(found(SLAVE)) == ["broker-a has no master: messages can't be sent to it"]


def test_lag_is_what_the_slaves_log_lacks_of_its_masters() -> None:
    assert slave_of(found(MASTER, SLAVE, slave=answer(SLAVE, 60)))["lag_bytes"] == 40
    assert slave_of(found(MASTER, SLAVE, slave=answer(SLAVE, 160)))["lag_bytes"] == 0


def test_a_slave_is_out_of_sync_from_the_masters_own_limit_on() -> None:
    far = {"master": answer(MASTER, 1000, haMaxGapNotInSync="900")}
    assert slave_of(found(MASTER, SLAVE, slave=answer(SLAVE, 101), **far))["in_sync"] is True
    survey = found(MASTER, SLAVE, slave=answer(SLAVE, 100), **far)
    assert slave_of(survey)["in_sync"] is False
    [problem] = judged(survey)
    assert "it lacks 900 bytes, or is not connected" in problem


def test_a_slave_that_holds_all_but_is_not_connected_is_out_of_sync() -> None:
    assert slave_of(found(MASTER, SLAVE, master=with_connections()))["in_sync"] is False
    late = with_connections(connection("10.0.0.2:40000", in_sync=False))
    assert slave_of(found(MASTER, SLAVE, master=late))["in_sync"] is False


def test_a_slave_may_dial_from_an_address_that_it_does_not_advertise() -> None:
    assert slave_of(found(MASTER, SLAVE, master=with_connections(connection("192.168.7.2:40000"))))["in_sync"] is True


def test_the_connection_of_one_slave_does_not_stand_for_another() -> None:
    other = replace(SLAVE, broker_id=2, address="10.0.0.3:11911")
    survey = found(MASTER, SLAVE, other, master=with_connections(connection("/10.0.0.3:40000")))
    slaves = sets_of(brokers_of(survey), survey.brokers)["broker-a"]["slaves"]
    assert [(each["address"], each["in_sync"]) for each in slaves] == [(SLAVE.address, False), (other.address, True)]


def test_two_slaves_of_one_host_need_two_connections() -> None:
    twin = replace(SLAVE, broker_id=2, address="10.0.0.2:12911")
    survey = found(MASTER, SLAVE, twin, master=with_connections(connection("10.0.0.2:40000")))
    slaves = sets_of(brokers_of(survey), survey.brokers)["broker-a"]["slaves"]
    assert [each["in_sync"] for each in slaves] == [False, False]


def ask(cluster: FakeCluster, /, **params: Any) -> Any:
    return cluster.ask(lambda client: tell(client, {**ALL, **params}, False))


def healthy(cluster: FakeCluster) -> None:
    cluster.a.replication["haConnectionInfo"] = [{"addr": "127.0.0.1:4000", "inSync": True}]


def test_name_servers_and_brokers_are_really_asked(cluster: FakeCluster) -> None:
    healthy(cluster)
    told = ask(cluster)
    assert (told["changed"], told["problems"]) == (False, [])
    assert [(each["broker_name"], each["role"]) for each in told["brokers"]] == [
        ("broker-a", "ASYNC_MASTER"),
        ("broker-a", "SLAVE"),
        ("broker-b", "ASYNC_MASTER"),
    ]
    assert told["sets"]["broker-a"]["slaves"] == [
        {"address": cluster.slave.address, "broker_id": 1, "lag_bytes": 0, "in_sync": True}
    ]


def test_a_master_too_old_to_tell_of_its_slaves_is_believed_by_the_logs(cluster: FakeCluster) -> None:
    healthy(cluster)
    cluster.a.refuse[907] = (3, 1)
    assert ask(cluster)["sets"]["broker-a"]["slaves"][0]["in_sync"] is True


def test_an_unreachable_broker_is_a_problem_and_no_failure(cluster: FakeCluster) -> None:
    healthy(cluster)
    cluster.do(cluster.b.stop())
    told = ask(cluster)
    assert [f"broker-b with id 0 at {cluster.b.address} does not answer" in each for each in told["problems"]] == [True]


def test_unreachable_name_servers_are_problems_and_no_failure(cluster: FakeCluster) -> None:
    cluster.do(cluster.name_server.stop())
    told = ask(cluster, cluster="C")
    assert told["brokers"] == []
    assert told["problems"][1:] == ["no name server reports a broker of the cluster C"]


def test_only_one_broker_name_may_be_asked_for(cluster: FakeCluster) -> None:
    assert {each["broker_name"] for each in ask(cluster, broker_name="broker-b")["brokers"]} == {"broker-b"}
    assert ask(cluster, broker_name="broker-z")["problems"] == ["no name server reports a broker of broker-z"]


def test_groups_are_told_with_what_they_have_still_to_consume(cluster: FakeCluster) -> None:
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("T", 2)
        store.fill("T", 0, [b"1", b"2", b"3"])
    cluster.store_a.offsets["G", "T", 0] = 1
    cluster.store_b.offsets["G", "T", 0] = 3
    cluster.store_b.offsets["TOOLS_CONSUMER", "T", 0] = 0
    assert ask(cluster, groups=True)["groups"] == {"G": {"T": 2}}
    assert ask(cluster, groups=True, broker_name="broker-b")["groups"] == {"G": {"T": 0}}


def test_settings_are_told_as_the_modules_take_them_without_what_brokers_make_themselves(cluster: FakeCluster) -> None:
    for topic in ("T", "TBW102", "broker-a", "C", "%RETRY%G", "rmq_sys_X"):
        cluster.store_a.add_topic(topic, 4)
    for group in ("G", "TOOLS_CONSUMER"):
        cluster.store_a.groups[group] = GroupConfig(group_name=group, retry_max_times=3)
    told = ask(cluster, settings=True)
    assert told["topics"] == {
        "broker-a": {"T": {"read_queues": 4, "write_queues": 4, "perm": 6, "order": False, "attributes": {}}},
        "broker-b": {},
    }
    assert list(told["subscription_groups"]["broker-a"]) == ["G"]
    assert told["subscription_groups"]["broker-a"]["G"]["retry_max_times"] == 3
