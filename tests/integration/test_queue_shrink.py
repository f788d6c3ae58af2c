"""Queues of a topic taken away by the playbook, from real brokers: nothing is lost, and the wrong way would lose."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broker_py.admin.topics import update_topic
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage
from broker_py.model.group import GroupConfig
from broker_py.model.message_queue import MessageQueue
from broker_py.model.topic import TopicConfig
from tests.support.cluster import CLUSTER_NAME, Cluster, Daemon, until

TOP = Path(__file__).resolve().parents[2]
TOPIC, GROUP = "Orders", "billing"
MESSAGES = 64
SETTLE_SECONDS = 2

pytestmark = pytest.mark.timeout(240)


class Site:
    """A name server and a master, an inventory of them, and Ansible to work on it."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self.nameserver: Daemon = cluster.nameserver()
        self.master: Daemon = cluster.broker()
        words = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "common_address": "127.0.0.1",
            "common_nameserver_port": self.nameserver.port,
            "common_cluster_name": CLUSTER_NAME,
            "common_bin_dir": str(Path(sys.executable).parent),
        }
        groups = {name: {"hosts": {"localhost": None}} for name in ("nameserver", "broker")}
        self._inventory = directory / "hosts.json"
        self._inventory.write_text(json.dumps({"all": {"vars": words, "children": groups}}))

    async def start(self) -> None:
        """Start both, and wait until the broker is known."""
        await self.nameserver.start()
        await self.master.start()
        async with self.cluster.client() as client:
            await until(client.name_servers.topics, "the name server knows topics")

    def shrink(self, queues: int, *words: str, **variables: Any) -> "subprocess.Popen[str]":
        """Begin to run the playbook."""
        settings = {"topic": TOPIC, "queues": queues, "shrink_settle_seconds": SETTLE_SECONDS, **variables}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self._inventory)]
        return subprocess.Popen(
            [*command, "playbooks/queue_shrink.yml", "-e", json.dumps(settings), *words],
            cwd=TOP,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "COLUMNS": "4000"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    async def shrunk(self, queues: int, *words: str, **variables: Any) -> tuple[int, str]:
        """Run the playbook, and return its exit status and what it said."""
        process = self.shrink(queues, *words, **variables)
        output, _ = await asyncio.to_thread(process.communicate)
        return process.returncode, output


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Site:
    return Site(cluster, tmp_path)


async def fill(client: Client, site: Site) -> None:
    """Make the topic with 16 queues and a group that stands at the start, and send messages to all queues."""
    address = site.master.address
    config = TopicConfig(topic_name=TOPIC, read_queue_nums=16, write_queue_nums=16)
    [outcome] = await update_topic(client, config, cluster=CLUSTER_NAME)
    assert outcome.error is None
    await client.brokers.put_group(address, GroupConfig(group_name=GROUP))
    await until(lambda: client.queues.queues(TOPIC), "the topic is known")
    producer = client.producer("shop")
    for number in range(MESSAGES):
        await producer.send(OutgoingMessage(topic=TOPIC, body=str(number).encode()))
    for queue in await client.queues.queues(TOPIC):
        await client.queues.commit_offset(GROUP, queue, 0)


async def counts(client: Client, site: Site) -> tuple[int, int]:
    """Return how many queues are written and how many are read."""
    config = await client.brokers.topic_config(site.master.address, TOPIC)
    return config.write_queue_nums, config.read_queue_nums


async def consume(client: Client) -> set[int]:
    """Have the group read all queues that there are for it, and return the messages it got."""
    got: set[int] = set()
    for queue in await client.queues.queues(TOPIC):
        offset = await client.queues.committed_offset(GROUP, queue) or 0
        end = await client.queues.max_offset(queue)
        while offset < end:
            result = await client.queues.pull(queue, offset, group=GROUP)
            got |= {int(message.body) for message in result.messages}
            offset = result.next_offset
        await client.queues.commit_offset(GROUP, queue, end)
    return got


async def test_queues_go_when_the_group_has_consumed_them_and_not_before(site: Site) -> None:
    await site.start()
    async with site.cluster.client() as client:
        await fill(client, site)
        status, output = await site.shrunk(8, shrink_timeout_seconds=3, shrink_progress_seconds=1)
        assert status != 0
        assert f"the group {GROUP} has 4 messages left in queue 8 of broker-a" in output
        assert await counts(client, site) == (8, 16)
        assert await consume(client) == set(range(MESSAGES))
        status, output = await site.shrunk(8)
        assert status == 0, output
        assert await counts(client, site) == (8, 8)
        status, output = await site.shrunk(8)
        assert status == 0, output
        assert "changed=0" in output


async def test_it_says_what_it_waits_for_and_goes_on_by_itself(site: Site) -> None:
    await site.start()
    async with site.cluster.client() as client:
        await fill(client, site)
        process = site.shrink(8, shrink_timeout_seconds=100, shrink_progress_seconds=1)
        assert process.stdout is not None
        for line in iter(process.stdout.readline, ""):
            if f"the group {GROUP} has 4 messages left in queue 15 of broker-a" in line:
                break
        assert await consume(client) == set(range(MESSAGES))
        output, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0, output
        assert await counts(client, site) == (8, 8)


async def test_in_the_wrong_order_messages_are_out_of_reach_and_the_playbook_gives_them_back(site: Site) -> None:
    await site.start()
    async with site.cluster.client() as client:
        await fill(client, site)
        hasty = TopicConfig(topic_name=TOPIC, read_queue_nums=8, write_queue_nums=8)
        await client.brokers.put_topic(site.master.address, hasty)
    async with site.cluster.client() as client:
        await until(lambda: has_queues(client, 8), "consumers see 8 queues")
        got = await consume(client)
        assert len(got) == MESSAGES // 2
        status, output = await site.shrunk(8, shrink_timeout_seconds=3, shrink_progress_seconds=1)
        assert status != 0
        assert "messages left in queue 15 of broker-a" in output
    async with site.cluster.client() as client:
        await until(lambda: has_queues(client, 16), "consumers see 16 queues again")
        assert got | await consume(client) == set(range(MESSAGES))
        status, output = await site.shrunk(8)
        assert status == 0, output
        assert await counts(client, site) == (8, 8)


async def test_a_dry_run_says_the_plan_and_does_nothing(site: Site) -> None:
    await site.start()
    async with site.cluster.client() as client:
        await fill(client, site)
        status, output = await site.shrunk(8, "--check")
        assert status == 0, output
        assert f"write_queues of {TOPIC} on broker-a from 16 to 8" in output
        assert f"read_queues of {TOPIC} on broker-a from 16 to 8" in output
        assert await counts(client, site) == (16, 16)


async def has_queues(client: Client, wanted: int) -> bool:
    """Say whether a route that is fetched now has so many queues to read."""
    client.routes.renew(TOPIC)
    queues: list[MessageQueue] = await client.queues.queues(TOPIC)
    return len(queues) == wanted
