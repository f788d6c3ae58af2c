"""The properties of a broker, under RocketMQ's names (common BrokerConfig, BrokerIdentity; broker BrokerStartup)."""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import ip_address
from typing import Final

from broker_py.errors import ConfigError
from broker_py.model.topic import TRACE_TOPIC
from broker_py.replication.config import ReplicationConfig

_PERIOD: Final = (1, 3_600_000)


class BrokerRole(Enum):
    """A master that answers before its slaves have a message, one that waits for them, or a slave."""

    ASYNC_MASTER = "ASYNC_MASTER"
    SYNC_MASTER = "SYNC_MASTER"
    SLAVE = "SLAVE"


class MessageRequestMode(Enum):
    """Whether clients of a group that let the broker assign queues pull messages or pop them."""

    PULL = "PULL"
    POP = "POP"


@dataclass(frozen=True, kw_only=True)
class BrokerConfig:
    """Who this broker is, where it listens and what it allows. Times in milliseconds.

    `broker_ip1` and `broker_name` are found by the broker when empty. Unlike Java's, our slaves serve pulls
    by default (`slave_read_enable`), so that consumers go on when their master is gone. The last three are ours:
    without `persist_runtime_config`, what tools change holds until the next start, and the file stays as it is.
    """

    broker_cluster_name: str = field(default="DefaultCluster", metadata={"important": True})
    broker_name: str = field(default="", metadata={"important": True})
    broker_id: int = field(default=0, metadata={"range": (0, (1 << 31) - 1), "important": True})
    broker_role: BrokerRole = field(default=BrokerRole.ASYNC_MASTER, metadata={"important": True})
    namesrv_addr: tuple[str, ...] = field(default=(), metadata={"addresses": True, "runtime": True, "important": True})
    broker_ip1: str = field(default="", metadata={"property": "brokerIP1", "important": True})
    broker_ip2: str = field(default="", metadata={"property": "brokerIP2", "important": True})
    listen_port: int = field(default=10_911, metadata={"range": (3, 65_534), "important": True})
    broker_permission: int = field(default=6, metadata={"range": (0, 7), "runtime": True})

    default_topic_queue_nums: int = field(default=8, metadata={"range": (1, 1024), "runtime": True})
    auto_create_topic_enable: bool = field(default=True, metadata={"runtime": True, "important": True})
    cluster_topic_enable: bool = True
    broker_topic_enable: bool = True
    auto_create_subscription_group: bool = field(default=True, metadata={"runtime": True, "important": True})
    trace_topic_enable: bool = False
    msg_trace_topic_name: str = TRACE_TOPIC
    trace_on: bool = field(default=True, metadata={"runtime": True})
    region_id: str = field(default="DefaultRegion", metadata={"runtime": True})
    validate_system_topic_when_update_topic: bool = field(default=True, metadata={"runtime": True})
    start_accept_send_request_time_stamp: int = field(default=0, metadata={"runtime": True})

    slave_read_enable: bool = field(default=True, metadata={"runtime": True, "important": True})
    long_polling_enable: bool = field(default=True, metadata={"runtime": True})
    short_polling_time_mills: int = field(default=1000, metadata={"range": _PERIOD, "runtime": True})
    lite_pull_message_enable: bool = field(default=True, metadata={"runtime": True})
    enable_property_filter: bool = field(default=False, metadata={"runtime": True, "important": True})
    notify_consumer_ids_changed_enable: bool = field(default=True, metadata={"runtime": True})
    channel_expired_timeout: int = field(default=120_000, metadata={"range": _PERIOD, "runtime": True})
    flush_consumer_offset_interval: int = field(default=5000, metadata={"range": _PERIOD, "runtime": True})
    consumer_offset_update_version_step: int = field(default=500, metadata={"range": (1, 1 << 31)})

    revive_queue_num: int = field(default=8, metadata={"range": (1, 64)})
    pop_polling_size: int = field(default=1024, metadata={"range": (1, 1 << 31), "runtime": True})
    pop_polling_map_size: int = field(default=100_000, metadata={"range": (1, 1 << 31), "runtime": True})
    max_pop_polling_size: int = field(default=100_000, metadata={"range": (1, 1 << 31), "runtime": True})
    server_load_balancer_enable: bool = field(default=True, metadata={"runtime": True})
    default_message_request_mode: MessageRequestMode = field(
        default=MessageRequestMode.PULL, metadata={"runtime": True}
    )
    default_pop_share_queue_num: int = field(default=-1, metadata={"range": (-1, (1 << 31) - 1), "runtime": True})
    reject_transaction_message: bool = field(default=False, metadata={"runtime": True})
    transaction_time_out: int = field(default=6000, metadata={"range": (0, 86_400_000), "runtime": True})
    transaction_check_interval: int = field(default=60_000, metadata={"range": _PERIOD, "runtime": True})
    transaction_check_max: int = field(default=15, metadata={"range": (1, 1000), "runtime": True})
    transaction_op_msg_max_size: int = field(default=4096, metadata={"range": (32, 1 << 20), "runtime": True})
    transaction_op_batch_interval: int = field(default=3000, metadata={"range": _PERIOD, "runtime": True})
    store_reply_message_enable: bool = field(default=True, metadata={"runtime": True})

    broker_fast_failure_enable: bool = field(default=True, metadata={"runtime": True})
    wait_time_mills_in_send_queue: int = field(default=200, metadata={"range": (1, 1 << 31), "runtime": True})
    wait_time_mills_in_pull_queue: int = field(default=5000, metadata={"range": (1, 1 << 31), "runtime": True})
    wait_time_mills_in_lite_pull_queue: int = field(default=5000, metadata={"range": (1, 1 << 31), "runtime": True})
    wait_time_mills_in_heartbeat_queue: int = field(default=31_000, metadata={"range": (1, 1 << 31), "runtime": True})
    wait_time_mills_in_transaction_queue: int = field(default=3000, metadata={"range": (1, 1 << 31), "runtime": True})
    wait_time_mills_in_ack_queue: int = field(default=3000, metadata={"range": (1, 1 << 31), "runtime": True})
    send_thread_pool_queue_capacity: int = field(default=10_000, metadata={"range": (1, 1 << 31), "runtime": True})

    register_name_server_period: int = field(default=30_000, metadata={"range": _PERIOD, "runtime": True})
    register_broker_timeout_mills: int = field(default=24_000, metadata={"range": _PERIOD, "runtime": True})

    acl_enable: bool = field(default=False, metadata={"important": True})
    # Where plain_acl.yml and the directory acl are; Java knows it as the conf directory of its home.
    acl_config_path: str = field(default="", metadata={"path": True})
    # As RocketMQ's tools.yml: how this broker signs what it asks other brokers. Empty: <aclConfigPath>/tools.yml.
    acl_credentials_file: str = field(default="", metadata={"path": True})

    broker_log_dir: str = field(default="~/logs/rocketmqlogs", metadata={"path": True})
    pid_file: str = field(default="", metadata={"path": True})
    persist_runtime_config: bool = True

    @property
    def is_slave(self) -> bool:
        """True for a broker that copies a master."""
        return self.broker_role is BrokerRole.SLAVE

    @property
    def address(self) -> str:
        """Where clients reach this broker: what it registers, and what its message ids carry."""
        return _address(self.broker_ip1, self.listen_port)

    def ha_address(self, ha_port: int) -> str:
        """Where slaves reach this broker."""
        return _address(self.broker_ip2 or self.broker_ip1, ha_port)


def _address(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def ha_port(broker: BrokerConfig, replication: ReplicationConfig) -> int:
    """The replication port: haListenPort when it is set, else the port behind the broker's."""
    return replication.ha_listen_port or broker.listen_port + 1


def check_together(broker: BrokerConfig, replication: ReplicationConfig) -> None:
    """Refuse settings that can't be meant together; ConfigError lists them all, one line each."""
    faults: list[str] = []
    role = broker.broker_role.name
    if broker.is_slave and broker.broker_id == 0:
        faults.append("brokerRole is SLAVE and brokerId is 0, which is the master's; a slave has 1 or more")
    if not broker.is_slave and broker.broker_id != 0:
        faults.append(f"brokerRole is {role} and brokerId is {broker.broker_id}; a master has 0")
    if not _is_ip(broker.broker_ip1):
        faults.append(f"brokerIP1 is {broker.broker_ip1}, which is not an IP address: message ids carry it as one")
    if broker.acl_enable and not broker.acl_config_path:
        faults.append("aclEnable is true and aclConfigPath is empty: set the directory that plain_acl.yml is in")
    replicas = max(replication.in_sync_replicas, replicas_to_wait_for(broker, replication))
    if replication.min_in_sync_replicas > replicas:
        faults.append(f"minInSyncReplicas is {replication.min_in_sync_replicas}, more than inSyncReplicas ({replicas})")
    port = ha_port(broker, replication)
    if port in (broker.listen_port, broker.listen_port - 2):
        faults.append(f"haListenPort is {port}, which the broker itself listens on (listenPort and listenPort - 2)")
    if faults:
        raise ConfigError("\n".join(faults))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def replicas_to_wait_for(broker: BrokerConfig, replication: ReplicationConfig) -> int:
    """How many brokers, this one included, must have a message before its send is answered.

    A SYNC_MASTER waits for a slave even where inSyncReplicas is 1, its default: that is what the role says and
    what RocketMQ 4 does. Java 5.1.0 waits only where inSyncReplicas is 2 or more.
    """
    return max(2, replication.in_sync_replicas) if broker.broker_role is BrokerRole.SYNC_MASTER else 1
