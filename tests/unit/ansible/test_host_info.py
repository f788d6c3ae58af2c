import os
import pathlib
import socket
import sys

from plugins.modules.host_info import free_bytes, listeners, listening_inodes

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2694 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000 100 0 0 10 0
   1: 0100007F:2695 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1 0000 100 0 0 10 0
"""


def test_of_a_socket_table_only_the_listening_sockets_count() -> None:
    assert listening_inodes(TABLE) == {"4242": 9876}


def test_a_listener_is_found_with_its_pid_and_command() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found,) = listeners([port])
    assert (found["port"], found["pid"]) == (port, os.getpid())
    assert found["argv"][0] == pathlib.Path("/proc/self/cmdline").read_text().split("\0")[0]


def test_a_port_that_nobody_listens_on_is_not_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert listeners([port]) == []


def test_free_space_of_a_path_that_does_not_exist_yet_is_that_of_its_parent(tmp_path: pathlib.Path) -> None:
    free = free_bytes(str(tmp_path / "not" / "yet"))
    assert 0 < free < sys.maxsize
