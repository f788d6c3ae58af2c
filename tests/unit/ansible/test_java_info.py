"""What a Java daemon is asked before ours takes its place."""

from typing import Any

from broker_py.wire.codes import RequestCode
from broker_py.wire.command import Reply
from plugins.modules.java_info import look
from tests.unit.client.fake_cluster import FakeCluster


def told(cluster: FakeCluster, kind: str, address: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.ask(lambda client: look(client, {"kind": kind, "address": address}, False))
    return found


def test_a_broker_tells_its_properties_without_secrets(cluster: FakeCluster) -> None:
    cluster.store_a.config["aclSecretKey"] = "hidden"
    found = told(cluster, "broker", cluster.a.address)
    assert found["properties"]["brokerName"] == "broker-a"
    assert "aclSecretKey" not in found["properties"]
    assert found["changed"] is False


def test_a_name_server_tells_where_it_keeps_kv_configurations(cluster: FakeCluster) -> None:
    body = b"kvConfigPath=/root/namesrv/kvConfig.json\n"
    cluster.name_server.on(RequestCode.GET_NAMESRV_CONFIG, None, lambda *_: Reply(body=body))
    found = told(cluster, "nameserver", cluster.namesrv)
    assert found["properties"] == {"kvConfigPath": "/root/namesrv/kvConfig.json"}
