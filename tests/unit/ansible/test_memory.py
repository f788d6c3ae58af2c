"""The daemons of a host share its memory, and leave some to the system."""

import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.filter.memory import MIB, memory_shares, write_cache
from plugins.modules.memory_info import limit_bytes, machine_bytes

GIB = 1024 * MIB
AFTER_LOAD = 150 * MIB  # the most that a broker was measured to hold for itself


def placed(nameservers: int, brokers: int) -> list[dict[str, Any]]:
    """Return as many instances as the topology would place on a host."""
    return [{"name": f"nameserver-{number}"} for number in range(nameservers)] + [
        {"name": f"broker-{number}", "kind": ("master", "slave")[number % 2]} for number in range(brokers)
    ]


@settings(derandomize=True, deadline=None)
@given(
    total=st.integers(min_value=2 * GIB, max_value=4096 * GIB),
    nameservers=st.integers(min_value=0, max_value=2),
    brokers=st.integers(min_value=0, max_value=4),
)
def test_shares_never_exceed_the_host_and_leave_the_system_its_part(total: int, nameservers: int, brokers: int) -> None:
    shares = memory_shares(total, placed(nameservers, brokers))
    assert len(shares) == nameservers + brokers
    assert all(0 < share["high"] < share["max"] for share in shares.values())
    assert sum(share["max"] for share in shares.values()) <= total - total // 9


@settings(derandomize=True, deadline=None)
@given(total=st.integers(min_value=2 * GIB, max_value=4096 * GIB), brokers=st.integers(min_value=1, max_value=3))
def test_a_broker_has_room_for_itself_and_its_part_of_the_write_cache(total: int, brokers: int) -> None:
    shares = memory_shares(total, placed(1, brokers))
    assert shares["broker-0"]["high"] >= AFTER_LOAD + write_cache(total)["limit"] // brokers


def test_a_host_of_2_gib_carries_a_name_server_a_master_and_a_slave() -> None:
    shares = memory_shares(2 * GIB, placed(1, 2))
    assert shares == {
        "nameserver-0": {"high": 80 * MIB, "max": 112 * MIB},
        "broker-0": {"high": 735 * MIB, "max": 840 * MIB},
        "broker-1": {"high": 735 * MIB, "max": 840 * MIB},
    }


def test_a_name_server_does_not_grow_with_the_host() -> None:
    assert memory_shares(256 * GIB, placed(1, 1))["nameserver-0"]["max"] == 256 * MIB


def test_a_kernel_that_reports_some_mib_less_changes_no_share() -> None:
    assert memory_shares(16 * GIB - 400 * MIB, placed(1, 2)) == memory_shares(16 * GIB - 450 * MIB, placed(1, 2))


def test_a_host_that_is_too_small_is_refused_with_what_is_needed() -> None:
    with pytest.raises(ValueError, match=r"512 MiB are too little for nameserver-0, broker-0: .* a broker 256 MiB"):
        memory_shares(512 * MIB, placed(1, 1))


def test_name_servers_alone_are_refused_on_a_host_without_room_too() -> None:
    with pytest.raises(ValueError, match="320 MiB are too little for nameserver-0: "):
        memory_shares(320 * MIB, placed(1, 0))


def test_the_write_cache_is_a_tenth_of_the_memory_within_limits() -> None:
    assert write_cache(2 * GIB) == {"background": 51 * MIB, "limit": 204 * MIB}
    assert write_cache(256 * GIB) == {"background": 256 * MIB, "limit": 1024 * MIB}
    assert write_cache(512 * MIB) == {"background": 16 * MIB, "limit": 64 * MIB}


def tree(root: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    """Write files below a directory that stands for `/`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_memory_of_a_machine_is_read_in_bytes(tmp_path: pathlib.Path) -> None:
    assert machine_bytes(tree(tmp_path, {"proc/meminfo": "MemTotal:  2048 kB\nMemFree: 1 kB\n"})) == 2 * MIB


def test_the_smallest_limit_around_process_1_counts(tmp_path: pathlib.Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/1/cgroup": "0::/docker/host/init.scope\n",
            "sys/fs/cgroup/docker/memory.max": "8589934592\n",
            "sys/fs/cgroup/docker/host/memory.max": "4294967296\n",
            "sys/fs/cgroup/docker/host/init.scope/memory.max": "max\n",
        },
    )
    assert limit_bytes(root) == 4 * GIB


def test_the_limit_of_a_container_that_sees_its_own_group_as_the_top_counts(tmp_path: pathlib.Path) -> None:
    root = tree(tmp_path, {"proc/1/cgroup": "0::/init.scope\n", "sys/fs/cgroup/memory.max": "1073741824\n"})
    assert limit_bytes(root) == GIB


def test_limits_of_control_groups_version_1_count_too(tmp_path: pathlib.Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/1/cgroup": "4:memory:/docker/host\n1:name=systemd:/docker/host\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "sys/fs/cgroup/memory/docker/host/memory.limit_in_bytes": "2147483648\n",
        },
    )
    assert limit_bytes(root) == 2 * GIB


def test_a_machine_without_limits_has_none(tmp_path: pathlib.Path) -> None:
    assert limit_bytes(tree(tmp_path, {"proc/1/cgroup": "0::/init.scope\n"})) is None
