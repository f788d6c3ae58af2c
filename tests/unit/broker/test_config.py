"""What a broker may be set to."""

from dataclasses import replace
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole, check_together, ha_port, replicas_to_wait_for
from broker_py.errors import ConfigError
from broker_py.replication.config import ReplicationConfig
from tests.unit.broker.site import CONFIG


def check(replication: ReplicationConfig | None = None, **broker: Any) -> None:
    check_together(replace(CONFIG, **broker), replication or ReplicationConfig())


def test_a_master_and_a_slave_are_fine() -> None:
    check()
    check(broker_role=BrokerRole.SYNC_MASTER)
    check(broker_role=BrokerRole.SLAVE, broker_id=1)
    check(broker_ip1="fd00::1")


def test_a_slave_can_not_have_the_masters_id() -> None:
    with pytest.raises(ConfigError, match="brokerRole is SLAVE and brokerId is 0"):
        check(broker_role=BrokerRole.SLAVE)


@pytest.mark.parametrize("role", [BrokerRole.ASYNC_MASTER, BrokerRole.SYNC_MASTER])
def test_a_master_can_not_have_a_slaves_id(role: BrokerRole) -> None:
    with pytest.raises(ConfigError, match=f"brokerRole is {role.name} and brokerId is 2; a master has 0"):
        check(broker_role=role, broker_id=2)


def test_no_more_replicas_can_be_demanded_than_are_waited_for() -> None:
    with pytest.raises(ConfigError, match=r"minInSyncReplicas is 3, more than inSyncReplicas \(2\)"):
        check(ReplicationConfig(in_sync_replicas=2, min_in_sync_replicas=3))


def test_a_synchronous_master_waits_for_two_whatever_inSyncReplicas_says_and_so_two_can_be_demanded() -> None:
    check(ReplicationConfig(min_in_sync_replicas=2), broker_role=BrokerRole.SYNC_MASTER)
    with pytest.raises(ConfigError, match=r"minInSyncReplicas is 2, more than inSyncReplicas \(1\)"):
        check(ReplicationConfig(min_in_sync_replicas=2))


@pytest.mark.parametrize("port", [10_911, 10_909])
def test_the_replication_port_can_not_be_one_of_the_brokers(port: int) -> None:
    with pytest.raises(ConfigError, match=f"haListenPort is {port}"):
        check(ReplicationConfig(ha_listen_port=port))


def test_the_address_must_be_one_that_message_ids_can_carry() -> None:
    with pytest.raises(ConfigError, match="brokerIP1 is broker-host, which is not an IP address"):
        check(broker_ip1="broker-host")


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        check(ReplicationConfig(ha_listen_port=10_911), broker_id=1, broker_ip1="x")
    assert len(str(refused.value).splitlines()) == 3


def test_addresses_are_what_clients_and_slaves_can_use() -> None:
    config = replace(CONFIG, broker_ip1="fd00::1", broker_ip2="")
    assert config.address == "[fd00::1]:10911"
    assert config.ha_address(10_912) == "[fd00::1]:10912"
    assert replace(config, broker_ip2="10.0.0.2").ha_address(10_912) == "10.0.0.2:10912"


def test_the_replication_port_follows_the_listen_port_unless_it_is_set() -> None:
    assert ha_port(CONFIG, ReplicationConfig()) == 10_912
    assert ha_port(CONFIG, ReplicationConfig(ha_listen_port=4000)) == 4000


@pytest.mark.parametrize(
    ("role", "in_sync", "waited_for"),
    [
        (BrokerRole.ASYNC_MASTER, 1, 1),
        (BrokerRole.ASYNC_MASTER, 3, 1),
        (BrokerRole.SYNC_MASTER, 1, 2),
        (BrokerRole.SYNC_MASTER, 3, 3),
        (BrokerRole.SLAVE, 3, 1),
    ],
)
def test_only_a_synchronous_master_waits_for_slaves_and_always_for_one(
    role: BrokerRole, in_sync: int, waited_for: int
) -> None:
    config = replace(CONFIG, broker_role=role)
    assert replicas_to_wait_for(config, ReplicationConfig(in_sync_replicas=in_sync)) == waited_for
