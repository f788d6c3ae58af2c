import pathlib
from typing import Any

import jinja2
import pytest

from plugins.filter.firewall import by_family

TEMPLATES = pathlib.Path(__file__).resolve().parents[3] / "roles/common/templates"
MEMBERS = {"ip": ["192.168.56.11/32", "192.168.56.12/32"], "ip6": []}
BROKER = {"name": "broker", "client_ports": [10909, 10911], "member_ports": [10912]}
FROM_MEMBERS = "ip saddr { 192.168.56.11/32, 192.168.56.12/32 } tcp dport { 10909, 10911, 10912 } accept"


def rules(sources: list[str], firewall: dict[str, Any] = BROKER) -> list[str]:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False
    )
    environment.filters["broker_py.mq.by_family"] = by_family
    text = environment.get_template("firewall.nft.j2").render(
        __firewall=firewall,
        __common_firewall_members=MEMBERS,
        __common_firewall_ports=firewall["client_ports"] + firewall["member_ports"],
        common_firewall_sources=sources,
    )
    return [line.strip() for line in text.splitlines()]


def test_addresses_are_sorted_by_family_and_do_not_overlap() -> None:
    found = by_family(["10.0.0.1", "10.0.0.0/24", "192.168.1.7/24", "fd00::1", "10.0.0.1"])
    assert found == {"ip": ["10.0.0.0/24", "192.168.1.0/24"], "ip6": ["fd00::1/128"]}


def test_a_name_is_refused_with_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"'rocketmq-os1' is no address or network.*: set common_address"):
        by_family(["rocketmq-os1"])


def test_replication_is_for_the_hosts_of_the_cluster_and_the_rest_for_everybody() -> None:
    found = rules(sources=[])
    assert found.index(FROM_MEMBERS) < found.index("tcp dport { 10912 } drop")
    assert [line for line in found if line.endswith("drop")] == ["tcp dport { 10912 } drop"]


def test_with_sources_clients_from_elsewhere_are_dropped() -> None:
    found = rules(sources=["10.0.0.0/8", "fd00::/8"])
    end = found.index("tcp dport { 10909, 10911 } drop")
    assert found.index("ip saddr { 10.0.0.0/8 } tcp dport { 10909, 10911 } accept") < end
    assert found.index("ip6 saddr { fd00::/8 } tcp dport { 10909, 10911 } accept") < end
    assert found.index(FROM_MEMBERS) < end


def test_every_rule_that_drops_names_ports_of_ours_so_that_ssh_is_never_cut() -> None:
    for sources in ([], ["10.0.0.0/8"]):
        dropping = [line for line in rules(sources) if "drop" in line and not line.startswith("#")]
        assert all(line.startswith("tcp dport {") for line in dropping)
    assert "type filter hook input priority filter; policy accept;" in rules([])


def test_a_service_without_replication_has_no_rule_about_it() -> None:
    found = rules([], {"name": "nameserver", "client_ports": [9876], "member_ports": []})
    assert not any(line.endswith("drop") for line in found)
