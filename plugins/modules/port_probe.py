#!/usr/bin/python
"""Find out whether ports of other hosts can be reached before the daemons that will listen there are installed.

One task listens on the ports that are still free, a second one connects from everywhere, a third one ends the
listening. The first leaves a child behind, which hangs up on everybody. It ends when its time is over, or when it is
called on a Unix socket: by the third task, or by the next first one, when a play has died between.
"""

from __future__ import annotations

import concurrent.futures
import errno
import os
import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

DOCUMENTATION = """
module: port_probe
short_description: Listen on ports for a while, or find those of other hosts that can't be reached
version_added: 0.1.0
description:
  - C(listening) opens those of I(ports) that nobody has and goes on listening behind the task for I(seconds). It ends
    an earlier listening first.
  - C(reached) connects to I(addresses) and says which of them don't answer.
  - C(released) ends the listening of an earlier task, if it has not ended by itself.
  - Never changed, as nothing is left of it.
author: [broker-py developers (@broker-py)]
options:
  state:
    description: Which of the three.
    type: str
    choices: [listening, reached, released]
    required: true
  ports:
    description: TCP ports to listen on.
    type: list
    elements: int
    default: []
  seconds:
    description: How long to listen at most, or to wait for an answer.
    type: float
    default: 5
  addresses:
    description: What to connect to, each as host:port.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Listen for a minute at most
  broker_py.mq.port_probe:
    state: listening
    ports: [9876, 10911]
    seconds: 60

- name: Connect
  broker_py.mq.port_probe:
    state: reached
    addresses: [192.168.56.12:9876, 192.168.56.12:10911]

- name: Stop listening
  broker_py.mq.port_probe:
    state: released
"""

RETURN = """
opened:
  description: The ports that it listens on. Those that are left out have a listener already.
  type: list
  elements: int
  returned: when I(state) is C(listening)
unanswered:
  description: The addresses that did not answer, each with the reason.
  type: dict
  returned: when I(state) is C(reached)
  sample: {"192.168.56.12:9876": "timed out"}
"""

MOST_CONNECTIONS = 64
CONTROL = "\0broker-py-port-probe"  # an abstract name: it is of the network namespace, and gone with its process
RELEASE_SECONDS = 5


class ProbeError(Exception):
    """A port can't be opened for another reason than that it is taken; the text is a sentence for the operator."""


def listen(ports: Sequence[int], seconds: float, name: str = CONTROL) -> list[int]:
    """Open the free ones of `ports` in a child that outlives the task, and return them."""
    release(name)
    sockets = [opened for port in ports if (opened := _open(port))]
    control = socket.socket(socket.AF_UNIX)
    try:
        control.bind(name)
    except OSError as error:
        raise ProbeError("another probe has just begun on this host: try again when it is over") from error
    control.listen()
    opened_ports = [one.getsockname()[1] for one in sockets]
    if os.fork() == 0:
        try:
            _detach([*sockets, control])
            _serve(sockets, control, time.monotonic() + seconds)
        finally:
            os._exit(0)
    for one in (*sockets, control):
        one.close()
    return opened_ports


def _open(port: int) -> socket.socket | None:
    """Listen on every interface, as the daemons do; None when somebody else already listens."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(("", port))
        opened.listen()
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise ProbeError(f"port {port} can't be opened: {error.strerror}") from error
    return opened


def _detach(sockets: Sequence[socket.socket]) -> None:
    """Leave the session of the task and all its descriptors but the sockets, so that it can end."""
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    kept = {0, 1, 2, *(one.fileno() for one in sockets)}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            _close(int(name))


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:
        pass  # the one that listed the directory


def _serve(sockets: Sequence[socket.socket], control: socket.socket, deadline: float) -> None:
    """Accept and hang up until the deadline or until somebody calls `control`, who then hears that all is closed."""
    with selectors.DefaultSelector() as selector:
        for one in (*sockets, control):
            selector.register(one, selectors.EVENT_READ, data=one)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                listener: socket.socket = key.data
                peer, _ = listener.accept()
                if listener is control:
                    for one in (*sockets, control):
                        one.close()
                    peer.close()
                    return
                peer.close()


def release(name: str = CONTROL) -> None:
    """End the listening that there may be on this host, and wait until its ports are free."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(RELEASE_SECONDS)
        try:
            caller.connect(name)
            caller.recv(1)
        except TimeoutError as error:
            raise ProbeError(f"a probe on this host did not end within {RELEASE_SECONDS} s") from error
        except OSError:
            return  # there is none, or its time was over just now


def unanswered(addresses: Sequence[str], seconds: float) -> dict[str, str]:
    """Return the addresses that don't take a connection within `seconds`, with the reason; all are tried at once."""
    if not addresses:
        return {}
    with concurrent.futures.ThreadPoolExecutor(min(len(addresses), MOST_CONNECTIONS)) as pool:
        reasons = pool.map(lambda address: _reason(address, seconds), addresses)
        return {address: reason for address, reason in zip(addresses, reasons, strict=True) if reason}


def _reason(address: str, seconds: float) -> str:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), seconds).close()
    except OSError as error:
        return str(error.strerror or error)
    return ""


def apply(options: dict[str, Any]) -> dict[str, Any]:
    """Do what `state` says and return what to report."""
    if options["state"] == "listening":
        return {"opened": listen(options["ports"], options["seconds"])}
    if options["state"] == "reached":
        return {"unanswered": unanswered(options["addresses"], options["seconds"])}
    release()
    return {}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["listening", "reached", "released"], "required": True},
            "ports": {"type": "list", "elements": "int", "default": []},
            "seconds": {"type": "float", "default": 5},
            "addresses": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **apply(module.params))
    except ProbeError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
