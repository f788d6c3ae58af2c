"""Configurations with one field of every kind, named as the real ones are."""

from dataclasses import dataclass, field
from enum import Enum

from broker_py.model.java_properties import Property, parse_properties
from broker_py.runtime.config_file import Loaded, load_config


class BrokerRole(Enum):
    ASYNC_MASTER = 0
    SYNC_MASTER = 1
    SLAVE = 2


class FlushDiskType(Enum):
    SYNC_FLUSH = 0
    ASYNC_FLUSH = 1


PORT = {"range": (1, 65535)}
PATH = {"path": True}
RUNTIME = {"runtime": True}


@dataclass(frozen=True, kw_only=True)
class BrokerConfig:
    broker_cluster_name: str = field(default="DefaultCluster", metadata={"important": True})
    broker_name: str = ""
    broker_id: int = field(default=0, metadata={"range": (0, None), "important": True})
    broker_role: BrokerRole = BrokerRole.ASYNC_MASTER
    broker_ip1: str = field(default="", metadata={"property": "brokerIP1"})
    namesrv_addr: tuple[str, ...] = field(default=(), metadata={"addresses": True, "important": True})
    listen_port: int = field(default=10911, metadata=PORT)
    ha_listen_port: int | None = field(default=None, metadata=PORT)
    default_topic_queue_nums: int = field(default=8, metadata=RUNTIME)
    auto_create_topic_enable: bool = field(default=True, metadata=RUNTIME)
    auto_create_subscription_group: bool = field(default=True, metadata=RUNTIME)
    send_message_thread_pool_nums: int = 1
    pull_message_thread_pool_nums: int = 1


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    store_path_root_dir: str = field(default="~/store", metadata=PATH)
    store_path_commit_log: str = field(default="", metadata=PATH)
    store_path_consume_queue: str = field(default="", metadata=PATH)
    store_path_index: str = field(default="", metadata=PATH)
    store_checkpoint: str = field(default="", metadata=PATH)
    abort_file: str = field(default="", metadata=PATH)
    mapped_file_size_commit_log: int = 1 << 30
    mapped_file_size_consume_queue: int = 6_000_000
    destroy_maped_file_interval_forcibly: int = 120_000
    flush_disk_type: FlushDiskType = field(default=FlushDiskType.ASYNC_FLUSH, metadata={"important": True})
    delete_when: str = field(default="04", metadata=RUNTIME)
    file_reserved_time: int = field(default=72, metadata={"range": (0, None), "runtime": True})
    disk_max_used_space_ratio: int = field(default=75, metadata={"range": (10, 95)})
    logical_disk_space_clean_forcibly_threshold: float = field(default=0.8, metadata={"range": (None, 1)})
    max_message_size: int = field(default=4_194_304, metadata=RUNTIME)


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Shares properties with the others, as RocketMQ's own classes do; one of them is fixed here only."""

    listen_port: int = 10911
    default_topic_queue_nums: int = 8
    file_reserved_time: int = field(default=72, metadata=RUNTIME)


def load(text: str, *overrides: Property) -> Loaded:
    """Load a file named broker.conf, with command line options behind it."""
    properties = [*parse_properties(text, "broker.conf"), *overrides]
    return load_config(properties, BrokerConfig, StoreConfig, ServerConfig, home="/home/mq", directory="/opt/mq")
