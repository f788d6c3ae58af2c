#!/usr/bin/python
"""Wait until nobody writes to a broker any more: the end of a drain."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, ClusterFault, Params, Result, run

if TYPE_CHECKING:
    from broker_py.client.client import Client

DOCUMENTATION = """
module: broker_quiet
short_description: Wait until no message arrives at a broker
version_added: 0.1.0
description:
  - Waits until the log of a broker has stood still for a while. Changes nothing.
  - Used after M(broker_py.mq.broker_permission) has taken write permission from it. Clients fetch routes every 30
    seconds and go on with old ones until then, which I(least_seconds) has to cover.
author: [broker-py developers (@broker-py)]
extends_documentation_fragment: [broker_py.mq.cluster]
options:
  address:
    description: The broker's address, C(host:port).
    type: str
    required: true
  least_seconds:
    description: How long to wait at least, even if the broker is quiet from the start.
    type: float
    default: 35
  quiet_seconds:
    description: How long no message may have arrived at the end.
    type: float
    default: 5
  timeout_seconds:
    description: How long to wait at most; the module fails then.
    type: float
    default: 300
"""

EXAMPLES = """
- name: Wait until the clients have turned to the other brokers
  broker_py.mq.broker_quiet:
    nameservers: 10.0.0.1:9876;10.0.0.2:9876
    bin_dir: /opt/broker-py/current/bin
    address: 10.0.0.1:10911
"""

RETURN = """
log_end:
  description: Where the log of the broker ended at last, in bytes.
  type: int
  returned: success
waited_seconds:
  description: How long it took.
  type: float
  returned: success
"""

POLL_SECONDS = 1.0


class Watch:
    """Decides by what a log's end was at which time whether the wait is over; times are seconds of any clock."""

    def __init__(self, least_seconds: float, quiet_seconds: float, timeout_seconds: float, now: float) -> None:
        self._least_until = now + least_seconds
        self._timeout_at = now + timeout_seconds
        self._quiet_seconds = quiet_seconds
        self._log_end = -1
        self._changed_at = now

    def quiet(self, log_end: int, now: float) -> bool:
        """Take a look at the log into account and say whether the broker is quiet."""
        if log_end != self._log_end:
            self._log_end, self._changed_at = log_end, now
        return now >= self._least_until and now - self._changed_at >= self._quiet_seconds

    def timed_out(self, now: float) -> bool:
        """Say whether it took too long."""
        return now >= self._timeout_at


async def wait_quiet(client: Client, params: Params, check_mode: bool) -> Result:
    """Wait, and return what the module does; in check mode there was no drain to wait for."""
    address = params["address"]
    started = time.monotonic()
    watch = Watch(params["least_seconds"], params["quiet_seconds"], params["timeout_seconds"], started)
    while True:
        log_end = int((await client.brokers.runtime_info(address))["commitLogMaxOffset"])
        now = time.monotonic()
        if check_mode or watch.quiet(log_end, now):
            return {"changed": False, "log_end": log_end, "waited_seconds": round(now - started, 1)}
        if watch.timed_out(now):
            raise ClusterFault(
                f"{address} still got messages {params['timeout_seconds']:g} s after the wait began, the last less than"
                f" {params['quiet_seconds']:g} s ago: look which clients send to it (their routes may be fixed, or"
                " consumers may send messages back), or raise timeout_seconds"
            )
        await asyncio.sleep(POLL_SECONDS)


def main() -> None:
    """Run as an Ansible module."""
    options = {
        "address": {"type": "str", "required": True},
        "least_seconds": {"type": "float", "default": 35},
        "quiet_seconds": {"type": "float", "default": 5},
        "timeout_seconds": {"type": "float", "default": 300},
    }
    run(AnsibleModule(argument_spec={**CLUSTER_OPTIONS, **options}, supports_check_mode=True), wait_quiet)


if __name__ == "__main__":
    main()
