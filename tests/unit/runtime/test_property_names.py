"""Old and misspelt names that people copy, and RocketMQ's own files."""

import pytest

from broker_py.errors import ConfigError
from broker_py.runtime.property_names import JAVA_NAMES, OTHER_NAMES
from tests.support.sample_configs import BrokerConfig, BrokerRole, FlushDiskType, StoreConfig, load

ARTICLE_SLAVE = """\
brokerClusterName=DefaultCluster
brokerName=broker-b
brokerId=1
namesrvAddr=192.168.56.11:9876;192.168.56.12:9876
brokerRole=SLAVE
flushDiskType=ASYNC_FLUSH
deleteWhen=04
fileReservedTime=48
listenPort=11911
haListenPort=11912
storePathRootDir=~/store-s
storePathCommitLog=~/store-s/commitLog
storePathConsumeQueue=~/store-s/consumequeue
storePathIndex=~/store-s/index
storeCheckpoint=~/store-s/checkpoint
abortFile=~/store-s/abort
defaultTopicQueueNums=4
autoCreateTopicEnable=true
authoCreateSubscriptionGroup=true
mapedFileSizeCommitLog=1073741824
mapedFileSizeConsumeQueue=300000
destoryMapedFileIntervalForcibly=120000
diskMaxUsedSpaceRatio=88
maxMessageSize=65536
sendMessageThreadPoolNums=128
pullMessageThreadPoolNums=128
brokerIp1=192.168.56.11
"""


def test_the_slave_of_the_article_means_what_the_article_says() -> None:
    loaded = load(ARTICLE_SLAVE)
    assert loaded.get(BrokerConfig) == BrokerConfig(
        broker_name="broker-b",
        broker_id=1,
        namesrv_addr=("192.168.56.11:9876", "192.168.56.12:9876"),
        broker_role=BrokerRole.SLAVE,
        listen_port=11911,
        ha_listen_port=11912,
        default_topic_queue_nums=4,
        send_message_thread_pool_nums=128,
        pull_message_thread_pool_nums=128,
        broker_ip1="192.168.56.11",
    )
    assert loaded.get(StoreConfig) == StoreConfig(
        file_reserved_time=48,
        store_path_root_dir="/home/mq/store-s",
        store_path_commit_log="/home/mq/store-s/commitLog",
        store_path_consume_queue="/home/mq/store-s/consumequeue",
        store_path_index="/home/mq/store-s/index",
        store_checkpoint="/home/mq/store-s/checkpoint",
        abort_file="/home/mq/store-s/abort",
        mapped_file_size_consume_queue=6_000_000,
        disk_max_used_space_ratio=88,
        max_message_size=65536,
    )


def test_the_slave_of_the_article_gets_a_note_for_each_name_that_is_not_the_current_one() -> None:
    assert load(ARTICLE_SLAVE).warnings == (
        "broker.conf line 19: authoCreateSubscriptionGroup is a misspelling of autoCreateSubscriptionGroup",
        "broker.conf line 20: mapedFileSizeCommitLog is the old name of mappedFileSizeCommitLog",
        "broker.conf line 21: mapedFileSizeConsumeQueue is the old name of mappedFileSizeConsumeQueue; "
        "300000 is taken as entries, 6000000 bytes",
        "broker.conf line 22: destoryMapedFileIntervalForcibly is a misspelling of destroyMapedFileIntervalForcibly",
        "broker.conf line 27: brokerIp1 is a misspelling of brokerIP1",
    )


def test_the_old_consume_queue_size_is_bytes_when_it_is_too_big_for_entries() -> None:
    loaded = load("mapedFileSizeConsumeQueue=6000000")
    assert loaded.get(StoreConfig).mapped_file_size_consume_queue == 6_000_000
    assert "6000000 is taken as bytes" in loaded.warnings[0]


def test_the_current_consume_queue_size_is_always_bytes() -> None:
    assert load("mappedFileSizeConsumeQueue=300000").get(StoreConfig).mapped_file_size_consume_queue == 300_000


def test_a_bad_value_under_an_old_name_is_told_under_that_name() -> None:
    with pytest.raises(ConfigError, match="line 1: mapedFileSizeConsumeQueue is '1g', not a whole number"):
        load("mapedFileSizeConsumeQueue=1g")


def test_old_and_current_name_may_agree_but_not_differ() -> None:
    assert load("mapedFileSizeConsumeQueue=50\nmappedFileSizeConsumeQueue=1000").given == {
        "mappedFileSizeConsumeQueue": "1000"
    }
    with pytest.raises(ConfigError) as error:
        load("brokerIP1=10.0.0.1\nbrokerIp1=10.0.0.2")
    assert str(error.value) == "broker.conf line 2: brokerIp1 differs from brokerIP1 in line 1; keep one of them"


def test_an_old_name_of_a_property_without_effect_gives_both_notes() -> None:
    first, second = load("haSlaveFallbehindMax=1").warnings
    assert first == "broker.conf line 1: haSlaveFallbehindMax is the old name of haMaxGapNotInSync"
    assert second == "broker.conf: properties of RocketMQ that have no effect here: haMaxGapNotInSync"


def test_no_other_name_hides_a_name_of_java() -> None:
    assert not OTHER_NAMES.keys() & JAVA_NAMES
    assert {other.name for other in OTHER_NAMES.values()} <= JAVA_NAMES


RETENTION = {"deleteWhen": "04", "fileReservedTime": "48", "flushDiskType": "ASYNC_FLUSH"}
DLEDGER_PEERS = "n0-127.0.0.1:40911;n1-127.0.0.1:40912;n2-127.0.0.1:40913"
CONTROLLER_PEERS = "n0-127.0.0.1:9878;n1-127.0.0.1:9868;n2-127.0.0.1:9858"
ACTING_MASTER = {
    "totalReplicas": "2",
    "inSyncReplicas": "2",
    "minInSyncReplicas": "1",
    "enableAutoInSyncReplicas": "true",
    "slaveReadEnable": "true",
    "brokerHeartbeatInterval": "1000",
    "brokerNotActiveTimeoutMillis": "5000",
    "sendHeartbeatTimeoutMillis": "1000",
    "enableSlaveActingMaster": "true",
}


def member(name: str, broker_id: int, role: str) -> dict[str, str]:
    common = {"brokerClusterName": "DefaultCluster", "brokerName": name, "brokerId": str(broker_id)}
    return common | RETENTION | {"brokerRole": role}


def dledger(node: int) -> dict[str, str]:
    root = f"/tmp/rmqstore/node0{node}"
    return {
        "brokerClusterName": "RaftCluster",
        "brokerName": "RaftNode00",
        "listenPort": str(30911 + 10 * node),
        "namesrvAddr": "127.0.0.1:9876",
        "storePathRootDir": root,
        "storePathCommitLog": root + "/commitlog",
        "enableDLegerCommitLog": "true",
        "dLegerGroup": "RaftNode00",
        "dLegerPeers": DLEDGER_PEERS,
        "dLegerSelfId": f"n{node}",
        "sendMessageThreadPoolNums": "16",
    }


def controller(node: int, peers: str) -> dict[str, str]:
    return {"controllerDLegerGroup": "group1", "controllerDLegerPeers": peers, "controllerDLegerSelfId": f"n{node}"}


def controlled(node: int) -> dict[str, str]:
    root = f"/tmp/rmqstore/node0{node}"
    return member("broker-a", -1, "SLAVE") | {
        "enableControllerMode": "true",
        "controllerAddr": "127.0.0.1:9878",
        "namesrvAddr": "127.0.0.1:9876",
        "allAckInSyncStateSet": "true",
        "listenPort": str(30911 + 10 * node),
        "storePathRootDir": root,
        "storePathCommitLog": root + "/commitlog",
    }


def contained(name: str, broker_id: int, role: str, port: int) -> dict[str, str]:
    root = f"/root/{name}/store"
    paths = {"storePathRootDir": root, "storePathCommitLog": root + "/commitlog"}
    ports = {"listenPort": str(port), "haListenPort": str(port + 1)}
    return member(name, broker_id, role) | ACTING_MASTER | ports | paths


CONTAINER = {
    "listenPort": "10811",
    "namesrvAddr": "172.22.144.49:9876",
    "fetchNamesrvAddrByAddressServer": "false",
    "brokerConfigPaths": "/root/broker-a-in-container1.conf:/root/broker-b-in-container1.conf",
}

SHIPPED = {
    "broker.conf": member("broker-a", 0, "ASYNC_MASTER"),
    "2m-2s-async/broker-a": member("broker-a", 0, "ASYNC_MASTER"),
    "2m-2s-async/broker-b": member("broker-b", 0, "ASYNC_MASTER"),
    "2m-2s-async/broker-a-s": member("broker-a", 1, "SLAVE"),
    "2m-2s-async/broker-b-s": member("broker-b", 1, "SLAVE"),
    "2m-2s-sync/broker-a": member("broker-a", 0, "SYNC_MASTER"),
    "2m-2s-sync/broker-b": member("broker-b", 0, "SYNC_MASTER"),
    "2m-2s-sync/broker-a-s": member("broker-a", 1, "SLAVE"),
    "2m-2s-sync/broker-b-s": member("broker-b", 1, "SLAVE"),
    "2m-noslave/broker-a": member("broker-a", 0, "ASYNC_MASTER"),
    "2m-noslave/broker-b": member("broker-b", 0, "ASYNC_MASTER"),
    "2m-noslave/broker-trace": member("broker-trace", 0, "ASYNC_MASTER"),
    "dledger/broker-n0": dledger(0),
    "dledger/broker-n1": dledger(1),
    "dledger/broker-n2": dledger(2),
    "controller/controller-standalone": controller(0, "n0-127.0.0.1:9878"),
    "controller/cluster-3n-independent/controller-n2": controller(2, CONTROLLER_PEERS),
    "controller/cluster-3n-namesrv-plugin/namesrv-n1": {
        "listenPort": "9886",
        "enableControllerInNamesrv": "true",
    }
    | controller(1, CONTROLLER_PEERS),
    "controller/quick-start/broker-n0": controlled(0),
    "controller/quick-start/broker-n1": controlled(1),
    "container/broker-container1": CONTAINER,
    "container/broker-a-in-container1": contained("broker-a", 0, "SYNC_MASTER", 10911),
    "container/broker-a-in-container2": contained("broker-a", 1, "SLAVE", 10911),
    "container/broker-b-in-container1": contained("broker-b", 1, "SLAVE", 20911),
    "container/broker-b-in-container2": contained("broker-b", 0, "SYNC_MASTER", 20911),
    "container/nameserver": {"supportActingMaster": "true"},
}


@pytest.mark.parametrize("file", SHIPPED)
def test_every_file_that_rocketmq_ships_is_read_with_no_more_than_one_warning(file: str) -> None:
    given = SHIPPED[file]
    loaded = load("".join(f"{name} = {value}\n" for name, value in given.items()).replace("brokerId = -1\n", ""))
    assert len(loaded.warnings) <= 1
    assert loaded.given.items() <= given.items()
    broker = loaded.get(BrokerConfig)
    assert broker.broker_name == given.get("brokerName", "")
    assert broker.broker_role.name == given.get("brokerRole", "ASYNC_MASTER")
    assert broker.listen_port == int(given.get("listenPort", "10911"))
    assert loaded.get(StoreConfig).flush_disk_type is FlushDiskType.ASYNC_FLUSH


@pytest.mark.parametrize("file", [file for file in SHIPPED if file.startswith(("broker.conf", "2m-"))])
def test_the_files_of_plain_clusters_are_read_without_a_warning(file: str) -> None:
    assert load("".join(f"{name}={value}\n" for name, value in SHIPPED[file].items())).warnings == ()
