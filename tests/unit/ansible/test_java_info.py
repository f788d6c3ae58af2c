"""What a Java daemon is asked before ours takes its place."""

from typing import Any

from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Reply
from plugins.modules.java_info import look
from tests.unit.client.fake_broker import json_reply
from tests.unit.client.fake_cluster import FakeCluster


def told(cluster: FakeCluster, kind: str, address: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.ask(lambda client: look(client, {"kind": kind, "address": address}, False))
    return found


def test_a_master_tells_its_properties_without_secrets_and_what_it_keeps(cluster: FakeCluster) -> None:
    cluster.a.on(RequestCode.GET_ALL_DELAY_OFFSET, None, lambda *_: json_reply({"offsetTable": {}}))
    cluster.store_a.config["aclSecretKey"] = "hidden"
    cluster.store_a.fill("SCHEDULE_TOPIC_XXXX", 2, [b"1"])
    found = told(cluster, "master", cluster.a.address)
    assert found["properties"]["brokerName"] == "broker-a"
    assert "aclSecretKey" not in found["properties"]
    assert found["pending"] == {"delayed": 1}
    assert found["changed"] is False


def test_a_slave_keeps_nothing_that_its_master_does_not(cluster: FakeCluster) -> None:
    assert told(cluster, "slave", cluster.slave.address)["pending"] == {}


def test_a_name_server_tells_where_it_keeps_kv_configurations(cluster: FakeCluster) -> None:
    body = b"kvConfigPath=/root/namesrv/kvConfig.json\n"
    cluster.name_server.on(RequestCode.GET_NAMESRV_CONFIG, None, lambda *_: Reply(body=body))
    found = told(cluster, "nameserver", cluster.namesrv)
    assert found["properties"] == {"kvConfigPath": "/root/namesrv/kvConfig.json"}
