import os
import pathlib
import socket
from collections.abc import Iterator

import pytest

from plugins.modules.port_probe import listen, release, unanswered
from tests.support.ports import free_port

NAME = f"\0port-probe-test-{os.getpid()}"


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    yield
    release(NAME)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass


def test_a_free_port_answers_while_it_is_listened_on_and_not_before_or_after() -> None:
    port = free_port()
    address = f"127.0.0.1:{port}"
    assert unanswered([address], 1) == {address: "Connection refused"}
    assert listen([port], 30, NAME) == [port]
    assert unanswered([address], 1) == {}
    release(NAME)
    assert unanswered([address], 1) == {address: "Connection refused"}


def test_a_port_that_has_a_listener_is_left_to_it() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert listen([taken, port], 30, NAME) == [port]
        assert unanswered([f"127.0.0.1:{taken}", f"127.0.0.1:{port}"], 1) == {}


def test_listening_again_ends_what_a_play_that_died_has_left() -> None:
    first, second = free_port(), free_port()
    assert listen([first], 30, NAME) == [first]
    assert listen([first, second], 30, NAME) == [first, second]


def test_the_child_ends_by_itself_when_its_time_is_over() -> None:
    listen([free_port()], 0.01, NAME)
    _, status = os.waitpid(-1, 0)
    assert status == 0


def test_the_child_keeps_no_descriptor_of_the_task_but_its_sockets() -> None:
    port = free_port()
    listen([port], 30, NAME)
    with socket.create_connection(("127.0.0.1", port)) as caller:
        assert caller.recv(1) == b"", "it hangs up, so it has detached"
    (child,) = [
        path for path in pathlib.Path("/proc").iterdir() if path.name.isdigit() and parent_of(path) == os.getpid()
    ]
    links = {os.readlink(link) for link in (child / "fd").iterdir()}
    assert {link for link in links if not link.startswith(("socket:", "anon_inode:"))} == {os.devnull}


def parent_of(process: pathlib.Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_releasing_where_nobody_listens_does_nothing() -> None:
    release(NAME)


def test_a_name_that_does_not_resolve_is_unanswered_with_the_reason() -> None:
    assert "no-such-name.invalid:1" in unanswered(["no-such-name.invalid:1"], 1)
