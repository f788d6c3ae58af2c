"""Routes and cluster information."""

import pytest

from broker_py.errors import ProtocolError
from broker_py.model.route import BrokerData, ClusterInfo, QueueData, TopicRoute
from broker_py.wire.fastjson import loads_object
from tests.support.vectors import java_remoting

BROKER = BrokerData(cluster="C", broker_name="b-a", broker_addrs={0: "1.1.1.1:1", 1: "1.1.1.1:2"})
QUEUES = QueueData(broker_name="b-a", read_queue_nums=4, write_queue_nums=4, perm=6)


def test_a_route_of_java_is_read() -> None:
    route = TopicRoute.from_json(loads_object(java_remoting("route-unquoted")))
    assert route == TopicRoute(queue_datas=(QUEUES,), broker_datas=(BROKER,))


def test_a_route_is_written_as_java_does_but_for_quoted_keys() -> None:
    route = TopicRoute(queue_datas=(QUEUES,), broker_datas=(BROKER,))
    assert route.to_json() == loads_object(java_remoting("route-unquoted"))


def test_what_a_route_lacks_is_left_out() -> None:
    assert set(TopicRoute().to_json()) == {"brokerDatas", "filterServerTable", "queueDatas"}
    full = TopicRoute(order_topic_conf="b-a:4", topic_queue_mapping_by_broker={"b-a": {}}).to_json()
    assert (full["orderTopicConf"], full["topicQueueMappingByBroker"]) == ("b-a:4", {"b-a": {}})
    assert "zoneName" not in BROKER.to_json()


def test_brokers_are_written_in_the_order_of_their_ids() -> None:
    broker = BrokerData(cluster="C", broker_name="b", broker_addrs={2: "x", 0: "y", 1: "z"}, zone_name="Z")
    assert list(broker.to_json()["brokerAddrs"]) == ["0", "1", "2"]
    assert BrokerData.from_json(broker.to_json()) == broker


def test_any_address_is_the_masters_or_that_of_the_lowest_id() -> None:
    assert BROKER.any_address == "1.1.1.1:1"
    assert BrokerData(cluster="C", broker_name="b", broker_addrs={3: "x", 2: "y"}).any_address == "y"


def test_cluster_information_of_java_is_read_and_written() -> None:
    fields = loads_object(java_remoting("cluster-info"))
    info = ClusterInfo.from_json(fields)
    assert info == ClusterInfo(brokers={"b-a": BROKER}, clusters={"C": ("b-a",)})
    assert info.to_json() == fields


def test_a_broker_id_is_a_number() -> None:
    with pytest.raises(ProtocolError, match="broker id"):
        BrokerData.from_json({"brokerName": "b", "cluster": "C", "brokerAddrs": {"first": "x"}})
