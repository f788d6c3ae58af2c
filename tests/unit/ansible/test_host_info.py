import fcntl
import json
import os
import pathlib
import socket
import sys
import time

from plugins.modules.host_info import configured, found, listeners, listening_inodes, own_addresses, resolve, store

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2694 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000 100 0 0 10 0
   1: 0100007F:2695 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0000 100 0 0 10 0
"""
TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 4
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
           |-- 192.168.56.0
              /24 link UNICAST
           |-- 192.168.56.11
              /32 host LOCAL
           |-- 192.168.56.255
              /32 link BROADCAST
           |-- 10.0.2.15
              /32 host LOCAL
"""
INTERFACES = """\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000004283fffe3f1a52 11 40 20 80     eth0
fd000000000000000000000000000002 04 40 00 82     eth0
"""


def test_of_a_socket_table_only_the_listening_sockets_count() -> None:
    assert listening_inodes(TABLE) == {"4242": 9876}


def test_a_listener_is_found_with_its_pid_and_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (seen,) = listeners([port])
    assert (seen["port"], seen["pid"]) == (port, os.getpid())
    assert seen["argv"][0] == pathlib.Path("/proc/self/cmdline").read_text().split("\0")[0]


def test_a_port_that_nobody_listens_on_is_not_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert listeners([port]) == []


def test_the_addresses_of_a_host_are_those_of_its_interfaces_but_loopback_and_link() -> None:
    assert own_addresses(TRIE, INTERFACES) == ["10.0.2.15", "192.168.56.11", "fd00::2"]


def test_a_host_without_ipv6_has_its_other_addresses() -> None:
    assert own_addresses(TRIE, "") == ["10.0.2.15", "192.168.56.11"]


def test_an_address_resolves_to_itself_and_a_name_that_nobody_has_to_nothing() -> None:
    assert resolve("192.168.56.11") == ["192.168.56.11"]
    assert resolve("no-such-name.invalid") == []
    assert resolve("x" * 64 + ".invalid") == []


def test_a_store_that_is_not_there_is_measured_where_it_will_be(tmp_path: pathlib.Path) -> None:
    seen = store(str(tmp_path / "not" / "yet"))
    assert 0 < seen["free_bytes"] < sys.maxsize
    assert seen["device"] == str(tmp_path.stat().st_dev)
    assert pathlib.Path(seen["mount"]).is_mount()
    assert (seen["used_bytes"], seen["identity"], seen["owner"], seen["holder"]) == (0, "", {}, {})


def test_a_store_that_is_there_counts_what_it_uses_and_says_whose_it_is(tmp_path: pathlib.Path) -> None:
    owner = {"brokerClusterName": "DefaultCluster", "brokerName": "broker-a"}
    (tmp_path / "owner.json").write_text(json.dumps(owner))
    (tmp_path / "commitlog").mkdir()
    (tmp_path / "commitlog" / "0").write_bytes(b"x" * 100_000)
    seen = store(str(tmp_path))
    assert seen["used_bytes"] >= 100_000
    assert seen["owner"] == owner


def test_two_paths_to_one_directory_have_one_identity(tmp_path: pathlib.Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store-s").symlink_to(tmp_path / "store")
    (tmp_path / "other").mkdir()
    seen = [store(str(tmp_path / name))["identity"] for name in ("store", "store-s", "other")]
    assert seen[0] == seen[1] != seen[2]


def test_an_owner_file_that_can_not_be_read_is_left_to_the_broker(tmp_path: pathlib.Path) -> None:
    (tmp_path / "owner.json").write_text("{")
    assert store(str(tmp_path))["owner"] == {}


def test_a_store_in_use_names_the_process_that_has_its_lock(tmp_path: pathlib.Path) -> None:
    locked, release = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        with open(tmp_path / "lock", "w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX, 1, 0)
            os.write(locked[1], b"x")
            os.read(release[0], 1)
            os._exit(0)
    try:
        os.read(locked[0], 1)
        held = store(str(tmp_path))["holder"]
    finally:
        os.write(release[1], b"x")
        os.waitpid(pid, 0)
    assert held["pid"] == pid
    assert held["argv"]
    assert store(str(tmp_path))["holder"] == {}


def test_of_the_properties_files_only_those_of_brokers_count(tmp_path: pathlib.Path) -> None:
    (tmp_path / "broker-a.properties").write_text("# ours\nbrokerName=broker-a\nstorePathRootDir = /data/store\n")
    (tmp_path / "nameserver.properties").write_text("listenPort=9876\n")
    (tmp_path / "broker-b.conf").write_text("brokerName=broker-b\n")
    assert configured(str(tmp_path)) == {"broker-a": {"brokerName": "broker-a", "storePathRootDir": "/data/store"}}


def test_a_directory_that_is_not_there_configures_nothing(tmp_path: pathlib.Path) -> None:
    assert configured(str(tmp_path / "none")) == {}


def test_the_report_has_the_clock_beside_the_time_of_the_question(tmp_path: pathlib.Path) -> None:
    before = time.time()
    seen = found({"stores": [], "ports": [], "names": [], "conf_dir": str(tmp_path), "asked_seconds": 5.0})
    assert seen["clock"]["asked_seconds"] == 5.0
    assert before <= seen["clock"]["read_seconds"] <= time.time()
