"""mqadmin's commands: in which module each is, what it does, and an example. Light, as help and completion read it."""

from typing import Final, NamedTuple


class Entry(NamedTuple):
    """A command: the module below `commands`, imported only when the command is used; a summary; arguments."""

    module: str
    summary: str
    example: str = ""


COMMANDS: Final = {
    # Clusters and brokers
    "clusterList": Entry("clusters", "List clusters, their brokers, and what these do now", "--watch 5"),
    "brokerStatus": Entry("brokers", "Show a broker's runtime values", "-b 10.0.0.1:10911"),
    "getBrokerConfig": Entry("brokers", "Show a broker's properties", "-b 10.0.0.1:10911"),
    "updateBrokerConfig": Entry(
        "brokers", "Change a property of a running broker", "-b 10.0.0.1:10911 -k fileReservedTime -v 48"
    ),
    "haStatus": Entry("replication", "Show how far the slaves of a master are", "-c DefaultCluster --watch 5"),
    "resetMasterFlushOffset": Entry(
        "upkeep", "Tell a slave up to where its master has flushed", "-b 10.0.0.2:10911 -o 1073741824"
    ),
    "wipeWritePerm": Entry("brokers", "Have all name servers take write permission from a broker", "-b broker-a"),
    "addWritePerm": Entry("brokers", "Have all name servers give write permission back to a broker", "-b broker-a"),
    "cleanExpiredCQ": Entry("upkeep", "Remove queue files that point at deleted parts of the log", "-c DefaultCluster"),
    "deleteExpiredCommitLog": Entry("upkeep", "Delete expired files of the log now", "-b 10.0.0.1:10911"),
    "cleanUnusedTopic": Entry("upkeep", "Delete the queues of topics that a broker has no more", "-c DefaultCluster"),
    "brokerConsumeStats": Entry("stats", "Show how far all groups of a broker are", "-b 10.0.0.1:10911 -l 1000"),
    "statsAll": Entry("stats", "Show the rates of all topics and their groups", "-a --watch 10"),
    # Name servers
    "getNamesrvConfig": Entry("nameservers", "Show the properties of the name servers"),
    "updateNamesrvConfig": Entry(
        "nameservers", "Change a property of all name servers", "-k orderMessageEnable -v true"
    ),
    "updateKvConfig": Entry(
        "nameservers", "Put a value under a key at all name servers", "-s NAMESPACE -k KEY -v VALUE"
    ),
    "deleteKvConfig": Entry("nameservers", "Delete a key at all name servers", "-s NAMESPACE -k KEY --dry-run"),
    # Topics
    "topicList": Entry("topics", "List topics", "-c"),
    "topicRoute": Entry("topics", "Show which brokers have queues of a topic", "-t orders -l"),
    "topicStatus": Entry("topics", "Show the offsets of a topic's queues", "-t orders --watch 5"),
    "topicClusterList": Entry("orders", "Show which clusters have a topic", "-t orders"),
    "updateTopic": Entry("topics", "Create a topic or change it", "-c DefaultCluster -t orders -r 8 -w 8 -p 6"),
    "deleteTopic": Entry(
        "topics", "Delete a topic from brokers and name servers", "-c DefaultCluster -t orders --dry-run"
    ),
    "updateTopicPerm": Entry(
        "topics", "Change who may use a topic: writers, readers, both", "-c DefaultCluster -t orders -p 4"
    ),
    "updateOrderConf": Entry(
        "orders", "Put, get or delete a topic's order configuration", "-t orders -m put -v broker-a:4;broker-b:4"
    ),
    "allocateMQ": Entry("orders", "Show which consumer would get which queues", "-t orders -i 10.0.0.7,10.0.0.8"),
    # Consumer groups and clients
    "consumerProgress": Entry("groups", "Show how far consumer groups are", "-g billing -s true"),
    "consumerStatus": Entry("connections", "Show what the members of a consumer group do", "-g billing"),
    "consumerConnection": Entry("connections", "List the members of a consumer group", "-g billing"),
    "producerConnection": Entry("connections", "List the members of a producer group", "-g shop -t orders"),
    "producer": Entry("connections", "List all producers of a broker", "-b 10.0.0.1:10911"),
    "getConsumerConfig": Entry("subscriptions", "Show the settings of a consumer group", "-g billing"),
    "updateSubGroup": Entry(
        "subscriptions", "Create a consumer group or change it", "-c DefaultCluster -g billing -r 16"
    ),
    "deleteSubGroup": Entry(
        "subscriptions",
        "Delete a consumer group, on a whole cluster with its retries and dead letters",
        "-c DefaultCluster -g billing --dry-run",
    ),
    "setConsumeMode": Entry(
        "subscriptions", "Have a group pull a topic or pop it", "-c DefaultCluster -t orders -g billing -m POP -q 8"
    ),
    "resetOffsetByTime": Entry(
        "offsets", "Set where a group stands in a topic to a time", "-g billing -t orders -s now --dry-run"
    ),
    "skipAccumulatedMessage": Entry("offsets", "Set a group to the end of a topic", "-g billing -t orders --dry-run"),
    "cloneGroupOffset": Entry(
        "offsets", "Have a group stand where another one does", "-s billing -d audit -t orders --dry-run"
    ),
    # Messages
    "queryMsgByOffset": Entry("messages", "Show the message at a queue offset", "-t orders -b broker-a -i 0 -o 100"),
    "queryMsgByKey": Entry("messages", "Show which messages of a topic have a key", "-t orders -k 4711"),
    "queryMsgByUniqueKey": Entry(
        "messages",
        "Show the message with the id that its producer gave",
        "-t orders -i 0A00000100002A9F0000000000000064",
    ),
    "queryMsgById": Entry(
        "messages", "Show the message with the id that its broker gave", "-i 0A00000100002A9F0000000000000064"
    ),
    "queryMsgTraceById": Entry(
        "traces", "Show where a traced message was sent and consumed", "-i 0A00000100002A9F0000000000000064"
    ),
    "queryCq": Entry("upkeep", "Show raw units of a consume queue", "-t orders -q 0 -i 100 -c 10"),
    "printMsg": Entry("dumps", "Print the messages of a topic", "-t orders -s TagA -b 2026-01-01#00:00:00:000"),
    "printMsgByQueue": Entry("dumps", "Print the messages of a queue", "-t orders -a broker-a -i 0 -p true -d true"),
    "consumeMessage": Entry(
        "messages", "Show messages of a topic, without moving any group's offsets", "-t orders -c 10"
    ),
    "sendMessage": Entry("messages", "Send a message", "-t orders -p hello -k 4711"),
    "sendMsgStatus": Entry("sending", "Send messages to a broker and show how long each took", "-b broker-a -c 10"),
    "checkMsgSendRT": Entry("sending", "Send messages to a topic and show how long each took", "-t orders -a 10"),
    "clusterRT": Entry("sending", "Send messages to all brokers again and again and show how long they took", "-i 10"),
    # Accounts
    "updateAclConfig": Entry(
        "accounts", "Create an account or change it", "-c DefaultCluster -a shop -s 12345678 -t orders=PUB"
    ),
    "deleteAclConfig": Entry("accounts", "Delete an account", "-c DefaultCluster -a shop --dry-run"),
    "updateGlobalWhiteAddr": Entry(
        "accounts", "Replace the addresses that need no account", "-c DefaultCluster -g 10.0.0.*,192.168.0.1"
    ),
    "clusterAclConfigVersion": Entry("accounts", "Show the versions of the files of accounts", "-c DefaultCluster"),
    "getAclConfig": Entry("accounts", "Show the accounts", "-b 10.0.0.1:10911"),
    # Export
    "exportMetadata": Entry(
        "exports", "Write topics and consumer groups to a JSON file", "-c DefaultCluster -f /tmp/export"
    ),
    "exportConfigs": Entry(
        "exports", "Write the settings of a cluster to a JSON file", "-c DefaultCluster -f /tmp/export"
    ),
    "exportMetrics": Entry(
        "exports", "Write the rates of a cluster to a JSON file", "-c DefaultCluster -f /tmp/export"
    ),
    # Files of a stopped broker
    "checkStore": Entry(
        "stores",
        "Say what is in a store directory and what is wrong with it; changes nothing",
        "/var/lib/rocketmq/store",
    ),
    "dumpLog": Entry(
        "stores", "Print the messages of a store directory's log; changes nothing", "/var/lib/rocketmq/store"
    ),
    # Files of security
    "checkAcl": Entry(
        "security", "Say what is in a file of access rules and what is wrong with it", "/etc/broker-py/plain_acl.yml"
    ),
    "checkTls": Entry(
        "security", "Say whether a tls.properties and the files it names can be used", "/etc/broker-py/tls.properties"
    ),
    # The shell
    "completion": Entry("completion", "Print the completion of commands, options and names for a shell", "bash"),
}

# Commands of RocketMQ that are about what a cluster here does not have → why, as one sentence.
_STATIC: Final = (
    "static topics, whose queues move between brokers, do not exist here: make more queues with updateTopic"
)
_CONTROLLER: Final = (
    "there is no controller mode here, a broker's role is in its configuration (haStatus shows replication)"
)
_CONTAINER: Final = "there are no broker containers here, each broker is a process of its own (mqbroker)"
REFUSED: Final = {
    "updateStaticTopic": _STATIC,
    "remappingStaticTopic": _STATIC,
    "getSyncStateSet": _CONTROLLER,
    "getBrokerEpoch": _CONTROLLER,
    "getControllerMetaData": _CONTROLLER,
    "getControllerConfig": _CONTROLLER,
    "updateControllerConfig": _CONTROLLER,
    "electMaster": _CONTROLLER,
    "cleanBrokerData": _CONTROLLER,
    "addBroker": _CONTAINER,
    "removeBroker": _CONTAINER,
    "startMonitoring": "a loop that prints alarms does not exist here: use consumerProgress --watch, or its JSON",
    "dumpCompactionLog": "there are no compaction topics here, so there is no compaction log: dumpLog prints the log",
}
