"""The brokers of one name: a master (id 0) and its slaves."""

from dataclasses import dataclass, field

from broker_py.model.data_version import DataVersion
from broker_py.model.route import MASTER_ID, BrokerData


@dataclass(kw_only=True)
class Member:
    """One registered broker. `peer` is whatever stands for its connection; times are seconds."""

    address: str
    ha_address: str
    data_version: DataVersion
    last_seen: float
    timeout: float
    peer: object = None
    filter_servers: tuple[str, ...] = ()


@dataclass(kw_only=True)
class BrokerSet:
    """The registered brokers that share a name, by id (remoting protocol/route/BrokerData and who of it lives)."""

    name: str
    cluster: str
    enable_acting_master: bool = False
    zone_name: str | None = None
    members: dict[int, Member] = field(default_factory=dict)

    @property
    def lowest_id(self) -> int:
        """The lowest id; that of the master while there is one. A set has a member at least."""
        return min(self.members)

    @property
    def has_master(self) -> bool:
        """True while there is a broker with id 0."""
        return MASTER_ID in self.members

    def member_at(self, address: str) -> Member | None:
        """Return the broker that registered with `address`."""
        return next((member for member in self.members.values() if member.address == address), None)

    def addresses(self) -> dict[int, str]:
        """Return the address of each id."""
        return {broker_id: self.members[broker_id].address for broker_id in sorted(self.members)}

    def to_data(self) -> BrokerData:
        """Return what routes say of this name."""
        return BrokerData(
            cluster=self.cluster,
            broker_name=self.name,
            broker_addrs=self.addresses(),
            enable_acting_master=self.enable_acting_master,
            zone_name=self.zone_name,
        )
