"""Routes: which brokers have queues of a topic, and where they are."""

from dataclasses import dataclass, field
from typing import Any, Final

from broker_py.model.fields import bool_of, dict_of, int_of, objects_of, text_of

MASTER_ID: Final = 0


@dataclass(frozen=True, kw_only=True)
class QueueData:
    """The queues of a topic on one broker name (remoting protocol/route/QueueData)."""

    broker_name: str
    read_queue_nums: int
    write_queue_nums: int
    perm: int
    topic_sys_flag: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "brokerName": self.broker_name,
            "perm": self.perm,
            "readQueueNums": self.read_queue_nums,
            "topicSysFlag": self.topic_sys_flag,
            "writeQueueNums": self.write_queue_nums,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "QueueData":
        """Return the value of a JSON form."""
        return cls(
            broker_name=text_of(fields, "brokerName"),
            read_queue_nums=int_of(fields, "readQueueNums"),
            write_queue_nums=int_of(fields, "writeQueueNums"),
            perm=int_of(fields, "perm"),
            topic_sys_flag=int_of(fields, "topicSysFlag"),
        )


@dataclass(frozen=True, kw_only=True)
class BrokerData:
    """The brokers of one name: id → address, 0 is the master (remoting protocol/route/BrokerData)."""

    cluster: str
    broker_name: str
    broker_addrs: dict[int, str]
    enable_acting_master: bool = False
    zone_name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        fields: dict[str, Any] = {
            "brokerAddrs": {str(number): self.broker_addrs[number] for number in sorted(self.broker_addrs)},
            "brokerName": self.broker_name,
            "cluster": self.cluster,
            "enableActingMaster": self.enable_acting_master,
        }
        if self.zone_name is not None:
            fields["zoneName"] = self.zone_name
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "BrokerData":
        """Return the value of a JSON form."""
        return cls(
            cluster=text_of(fields, "cluster"),
            broker_name=text_of(fields, "brokerName"),
            broker_addrs={
                int_of({"broker id": key}, "broker id"): str(address)
                for key, address in dict_of(fields, "brokerAddrs").items()
            },
            enable_acting_master=bool_of(fields, "enableActingMaster"),
            zone_name=text_of(fields, "zoneName") or None,
        )

    @property
    def any_address(self) -> str:
        """The master's address, or that of the lowest id."""
        return self.broker_addrs[min(self.broker_addrs)]


@dataclass(frozen=True, kw_only=True)
class TopicRoute:
    """The answer to a route query (remoting protocol/route/TopicRouteData)."""

    queue_datas: tuple[QueueData, ...] = ()
    broker_datas: tuple[BrokerData, ...] = ()
    order_topic_conf: str | None = None
    topic_queue_mapping_by_broker: dict[str, Any] | None = None
    filter_server_table: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; nulls are left out."""
        fields: dict[str, Any] = {
            "brokerDatas": [broker.to_json() for broker in self.broker_datas],
            "filterServerTable": self.filter_server_table,
            "queueDatas": [queues.to_json() for queues in self.queue_datas],
        }
        if self.order_topic_conf is not None:
            fields["orderTopicConf"] = self.order_topic_conf
        if self.topic_queue_mapping_by_broker is not None:
            fields["topicQueueMappingByBroker"] = self.topic_queue_mapping_by_broker
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "TopicRoute":
        """Return the value of a JSON form."""
        return cls(
            queue_datas=tuple(QueueData.from_json(item) for item in objects_of(fields, "queueDatas")),
            broker_datas=tuple(BrokerData.from_json(item) for item in objects_of(fields, "brokerDatas")),
            order_topic_conf=text_of(fields, "orderTopicConf") or None,
        )


@dataclass(frozen=True, kw_only=True)
class ClusterInfo:
    """All brokers that a name server knows (remoting protocol/body/ClusterInfo)."""

    brokers: dict[str, BrokerData] = field(default_factory=dict)
    clusters: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "brokerAddrTable": {name: broker.to_json() for name, broker in self.brokers.items()},
            "clusterAddrTable": {cluster: list(names) for cluster, names in self.clusters.items()},
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "ClusterInfo":
        """Return the value of a JSON form."""
        return cls(
            brokers={name: BrokerData.from_json(item) for name, item in dict_of(fields, "brokerAddrTable").items()},
            clusters={cluster: tuple(names) for cluster, names in dict_of(fields, "clusterAddrTable").items()},
        )
