"""What a Java broker's store may hold that this broker can't go on with; such a store is refused as a whole.

Served nevertheless, its queues would be wrong: each of these has messages elsewhere than in plain consume queues.
"""

from collections.abc import Iterable
from typing import Final

from broker_py.broker.topics import topics_of
from broker_py.errors import ConfigError, ProtocolError
from broker_py.model.topic import TopicConfig
from broker_py.seams import FileSystem, read_file
from broker_py.wire.fastjson import loads_trusted

_DLEDGER_PREFIX: Final = "dledger-"
_LMQ_OFFSETS: Final = "lmqConsumerOffset.json"
_OTHER_QUEUES: Final = {("queue.type", "BatchCQ"), ("cleanup.policy", "COMPACTION")}


def topic_faults(topics: Iterable[TopicConfig]) -> list[str]:
    """Return a sentence for each topic whose queues are of a kind that isn't served here."""
    return [
        f"the topic {topic.topic_name} has {name}={value}, which this broker can't serve: "
        "leave it to a Java broker, or delete it there first (mqadmin deleteTopic)"
        for topic in topics
        for name, value in sorted(topic.attributes.items())
        if (name, value) in _OTHER_QUEUES
    ]


def store_faults(files: FileSystem, root: str) -> list[str]:
    """Return a sentence for each thing in the store at `root` that isn't served here, and what to do about it."""
    faults = [
        f"{root}/{name} is a log that DLedger keeps, in another format: copy its messages over with clients"
        for name in files.list_dir(root)
        if name.startswith(_DLEDGER_PREFIX)
    ]
    batch = f"{root}/batchconsumequeue"
    for topic in files.list_dir(batch):
        if any(files.list_dir(f"{batch}/{topic}/{queue}") for queue in files.list_dir(f"{batch}/{topic}")):
            faults.append(
                f"{batch}/{topic} has batch consume queues (queue.type=BatchCQ), which this broker can't read: leave "
                "the store to a Java broker, or delete the topic there first (mqadmin deleteTopic)"
            )
    lmq = f"{root}/config/{_LMQ_OFFSETS}"
    if files.exists(lmq):
        faults.append(
            f"{lmq} holds the consumer offsets of a broker with enableLmq=true, which this broker does not know: if no "
            "LMQ is in use, start the Java broker with enableLmq=false and move the file's offsetTable into "
            "consumerOffset.json"
        )
    return faults + topic_faults(_topics(files, f"{root}/config/topics.json"))


def check_store(files: FileSystem, root: str) -> None:
    """Refuse a store of which something isn't served here: ConfigError with all of it, a line each."""
    faults = store_faults(files, root)
    if faults:
        raise ConfigError("\n".join(faults))


def _topics(files: FileSystem, path: str) -> list[TopicConfig]:
    try:
        return list(topics_of(loads_trusted(read_file(files, path))).values())
    except (OSError, ProtocolError):
        return []  # missing or broken: whoever loads it finds its backup, or says so
