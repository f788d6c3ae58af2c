#!/usr/bin/python
"""Take queues of a topic away without losing a message: write fewer, wait until the rest is consumed, read fewer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..module_utils.cluster import CLUSTER_OPTIONS, ClusterFault, Params, Result, masters, run, sentence
from ..module_utils.shrink_plan import Counts, Look, Queue, Settling, Step, hidden_queues, plan, unread_sentences

if TYPE_CHECKING:
    from broker_py.admin.backlog import QueueBacklog
    from broker_py.client.client import Client
    from broker_py.model.topic import TopicConfig

DOCUMENTATION = """
module: topic_shrink
short_description: Take queues of a topic away without losing a message
version_added: 0.1.0
description:
  - Lowers the write queues on all brokers, waits until no message can come to the queues that go and every group has
    consumed what they hold, and only then lowers the read queues. A message that came in the last moment is noticed;
    then the queues are given back to the readers, and the wait goes on.
  - Everything it does follows from the topic's queues and the groups' offsets. When it is interrupted, or fails because
    the time is up, nothing is lost, and the next run goes on.
  - Keys of an ordered topic go to other queues from then on, as with every change of the number of queues.
author: [broker-py developers (@broker-py)]
options:
  name:
    description: The topic.
    type: str
    required: true
  cluster:
    description: The cluster, on all masters of which the topic gets fewer queues.
    type: str
    required: true
  queues:
    description: How many queues the topic shall have on each broker. A broker that has fewer keeps them.
    type: int
    required: true
  timeout_seconds:
    description: How long consumers may take.
    type: float
    default: 3600
  settle_seconds:
    description: For how long nothing may have come to the queues that go. Clients fetch routes every 30 seconds.
    type: float
    default: 35
  ignore_groups:
    description:
      - Groups that will never consume the rest. Groups that broadcast keep their offsets for themselves, so they have
        to be named too once their members are known to be done.
    type: list
    elements: str
    default: []
  without_groups:
    description: Go on although the queues that go hold messages and no group consumes the topic at all.
    type: bool
    default: false
extends_documentation_fragment: [broker_py.mq.cluster]
"""

EXAMPLES = """
- name: Have the topic orders with 8 queues on each broker
  broker_py.mq.topic_shrink:
    nameservers: 192.168.56.11:9876;192.168.56.12:9876
    bin_dir: /opt/broker-py/current/bin
    cluster: DefaultCluster
    name: orders
    queues: 8
"""

RETURN = """
steps:
  description: What was done, or would be, in order.
  type: list
  elements: str
  returned: always
  sample: ["write_queues of orders on broker-a from 16 to 8", "read_queues of orders on broker-a from 16 to 8"]
waiting_for:
  description: What it still waited for when the time was up, a sentence each.
  type: list
  elements: str
  returned: on failure
  sample: ["the group billing has 17 messages left in queue 9 of broker-a"]
"""

POLL_SECONDS = 1.0
DISPATCH_SECONDS = 10.0
DISPATCH_POLL_SECONDS = 0.05
Now = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Shrinking:
    """One topic on its way to fewer queues."""

    def __init__(
        self,
        client: Client,
        params: Params,
        addresses: Mapping[str, str],
        configs: Mapping[str, TopicConfig],
        now: Now,
        sleep: Sleep,
    ) -> None:
        self._client = client
        self._topic: str = params["name"]
        self._queues: int = params["queues"]
        self._ignored: list[str] = params["ignore_groups"]
        self._settle_seconds: float = params["settle_seconds"]
        self._timeout_seconds: float = params["timeout_seconds"]
        self._addresses = addresses
        self._configs = dict(configs)
        self._now = now
        self._sleep = sleep
        self.done: list[str] = []

    @property
    def counts(self) -> dict[str, Counts]:
        """The topic's queues on each broker."""
        return {name: Counts(config.read_queue_nums, config.write_queue_nums) for name, config in self._configs.items()}

    async def hidden(self) -> dict[str, int]:
        """Return what `hidden_queues` does: the trace of a run that ended just after a message came in."""
        from broker_py.admin.backlog import hidden_backlogs  # noqa: PLC0415  importable only now

        found = {
            name: await hidden_backlogs(self._client, self._addresses[name], self._topic, max(self._queues, counts.all))
            for name, counts in self.counts.items()
        }
        return hidden_queues(found, self._ignored)

    async def groups(self) -> set[str]:
        """Return the groups that consume the topic anywhere: each of them counts on every broker."""
        from broker_py.admin.groups import is_system_group  # noqa: PLC0415  importable only now

        found: set[str] = set()
        for name in self._configs:
            found.update(await self._client.brokers.consumers_of(self._addresses[name], self._topic))
        return {group for group in found if not is_system_group(group)}

    async def held(self) -> int:
        """Return how many messages the queues hold that go."""
        from broker_py.admin.topics import queues_at  # noqa: PLC0415  importable only now

        return sum(
            [
                queue.max_offset - queue.min_offset
                for name, config in self._configs.items()
                for queue in await queues_at(self._client, self._addresses[name], config)
                if queue.queue_id >= self._queues
            ]
        )

    async def carry_out(self, hidden: Mapping[str, int]) -> None:
        """Take the queues away; ClusterFault when the time is up before that is safe."""
        deadline = self._now() + self._timeout_seconds
        for name, counts in sorted(self.counts.items()):
            if counts.write > self._queues:
                await self._set(name, "write", self._queues)
        await self._cap_order()
        for name, wanted in sorted(hidden.items()):
            await self._set(name, "read", max(wanted, self.counts[name].read))
        while any(counts.read > self._queues for counts in self.counts.values()):
            look = await self._wait_until_free(deadline)
            for name, counts in sorted(self.counts.items()):
                if counts.read > self._queues and not await self._close(name, look):
                    break

    async def _close(self, name: str, look: Look) -> bool:
        """Lower the read queues of a broker; False when a message had come since the look, and they are back.

        From the lower number on the broker refuses messages to these queues, so a second look is the last one needed.
        """
        address, before = self._addresses[name], self.counts[name].read
        await self._set(name, "read", self._queues)
        if await self._dispatched(address):
            ends = {
                (name, queue_id): await self._client.brokers.queue_end(address, self._topic, queue_id)
                for queue_id in range(self._queues, before)
            }
            if not any(end > look.ends[queue] for queue, end in ends.items()):
                return True
        await self._set(name, "read", before)
        return False

    async def _set(self, name: str, what: str, number: int) -> None:
        config = self._configs[name]
        before = config.write_queue_nums if what == "write" else config.read_queue_nums
        if before == number:
            return
        if what == "write":
            config = replace(config, write_queue_nums=number)
        else:
            config = replace(config, read_queue_nums=number)
        await self._client.brokers.put_topic(self._addresses[name], config)
        self._configs[name] = config
        self.done.append(str(Step(self._topic, name, what, before, number)))

    async def _cap_order(self) -> None:
        """Have the producers of an ordered topic leave too: they go by its order configuration."""
        from broker_py.admin.topics import capped_order_conf, change_order, order_changes  # noqa: PLC0415

        for change in await order_changes(
            self._client, self._topic, lambda known: capped_order_conf(known, self._queues, self._configs)
        ):
            await change_order(self._client, change)
            self.done.append(f"order configuration at {change.name_server}: '{change.after}'")

    async def _wait_until_free(self, deadline: float) -> Look:
        """Return the look by which nothing comes any more and nothing is left."""
        from broker_py.errors import BrokerPyError  # noqa: PLC0415  importable only now

        settling = Settling(self._settle_seconds, self._now())
        while True:
            try:
                look = await self._look()
            except BrokerPyError as error:  # one that restarts comes back
                look = Look({}, (sentence(error),))
            remaining = settling.remaining(look, self._now())
            if not (look.open_routes or look.unread or remaining):
                return look
            if self._now() >= deadline:
                waiting_for = [*look.open_routes, *look.unread]
                if remaining:
                    waiting_for.append(f"messages may still come for {remaining:.0f} s")
                raise ClusterFault(
                    f"{self._topic} still has more than {self._queues} read queues after {self._timeout_seconds:g} s:"
                    f" {'; '.join(waiting_for)}. Nothing is lost: run this again to go on, with ignore_groups for"
                    " groups that won't consume the rest.",
                    changed=bool(self.done),
                    steps=self.done,
                    waiting_for=waiting_for,
                )
            await self._sleep(POLL_SECONDS)

    async def _look(self) -> Look:
        from broker_py.admin.backlog import backlogs  # noqa: PLC0415  importable only now
        from broker_py.admin.topics import queues_at  # noqa: PLC0415

        groups = await self.groups()
        ends: dict[Queue, int] = {}
        found: dict[str, list[QueueBacklog]] = {}
        for name, config in self._configs.items():
            address = self._addresses[name]
            for queue in await queues_at(self._client, address, config):
                if queue.queue_id >= self._queues:
                    ends[name, queue.queue_id] = queue.max_offset
            found[name] = await backlogs(self._client, address, [self._topic], groups)
        return Look(ends, await self._open_routes(), unread_sentences(found, self._queues, self._ignored))

    async def _open_routes(self) -> tuple[str, ...]:
        """Say which name servers still send producers to queues that go."""
        found: list[str] = []
        for name_server in self._client.name_servers.apart():
            route = await name_server.route(self._topic)
            found += [
                f"the name server {name_server.addresses[0]} gives out {queues.write_queue_nums} write queues of"
                f" {queues.broker_name}"
                for queues in route.queue_datas
                if queues.broker_name in self._configs and queues.write_queue_nums > self._queues
            ]
        return tuple(found)

    async def _dispatched(self, address: str) -> bool:
        """Wait until all that the log holds now is in its queues: a message is stored before its queue grows."""
        deadline = self._now() + DISPATCH_SECONDS
        end = int((await self._client.brokers.runtime_info(address))["commitLogMaxOffset"])
        while self._now() < deadline:
            runtime = await self._client.brokers.runtime_info(address)
            if int(runtime["commitLogMaxOffset"]) - int(runtime["dispatchBehindBytes"]) >= end:
                return True
            await self._sleep(DISPATCH_POLL_SECONDS)
        return False


async def shrink(
    client: Client, params: Params, check_mode: bool, now: Now = time.monotonic, sleep: Sleep = asyncio.sleep
) -> Result:
    """Take the queues away, or say what would be done."""
    from broker_py.admin.topics import find_topic, is_own_topic  # noqa: PLC0415  importable only now

    topic, queues = params["name"], params["queues"]
    if queues < 1:
        raise ClusterFault(f"queues is {queues}; a topic needs 1 or more")
    addresses = await masters(client, {**params, "brokers": None})
    if any(is_own_topic(topic, params["cluster"], name) for name in addresses):
        raise ClusterFault(f"{topic} belongs to the brokers themselves and keeps its queues")
    found = {name: await find_topic(client, address, topic) for name, address in addresses.items()}
    configs = {name: config for name, config in found.items() if config is not None}
    if not configs:
        raise ClusterFault(f"no broker of {params['cluster']} has a topic {topic}: look at the spelling")
    shrinking = Shrinking(client, params, addresses, configs, now, sleep)
    hidden = await shrinking.hidden()
    steps = [str(step) for step in plan(topic, shrinking.counts, queues, hidden)]
    if steps and not params["without_groups"] and not await shrinking.groups():
        held = await shrinking.held()
        if held:
            raise ClusterFault(
                f"no group consumes {topic}, and the queues from {queues} on hold {held} messages:"
                " start the consumers first, or set without_groups if nobody needs them"
            )
    before = {name: vars(counts) for name, counts in shrinking.counts.items()}
    if steps and not check_mode:
        await shrinking.carry_out(hidden)
        steps = shrinking.done
    after = {name: {what: min(number, queues) for what, number in each.items()} for name, each in before.items()}
    return {"changed": bool(steps), "steps": steps, "diff": {"before": before, "after": after}}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            **CLUSTER_OPTIONS,
            "name": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "queues": {"type": "int", "required": True},
            "timeout_seconds": {"type": "float", "default": 3600},
            "settle_seconds": {"type": "float", "default": 35},
            "ignore_groups": {"type": "list", "elements": "str", "default": []},
            "without_groups": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run(module, shrink)


if __name__ == "__main__":
    main()
