"""The modules that talk to a cluster, run by Ansible opposite real name servers and brokers."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from broker_py.admin.topics import ORDER_NAMESPACE
from broker_py.client.messages import OutgoingMessage
from broker_py.errors import RequestFailed
from broker_py.model.message_queue import MessageQueue
from tests.support.cluster import CLUSTER_NAME, Cluster, Daemon

ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT_SECONDS: Final = 100
GROUP: Final = "readers"
# The interpreter behind this virtual environment: like the Python of a host, it has no broker_py of its own.
HOST_PYTHON: Final = sys._base_executable  # type: ignore[attr-defined]

Task = tuple[str, dict[str, Any]]


class Play:
    """Runs tasks of modules on this host, with the options of their action group given once."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self._directory = directory
        self._runs = 0
        self._defaults = {"nameservers": cluster.namesrv_addr(), "bin_dir": release(directory)}

    async def run(self, *tasks: Task, check: bool = False) -> list[dict[str, Any]]:
        """Return the results of all tasks, failures included."""
        self._runs += 1
        playbook, results = (self._directory / f"{what}-{self._runs}" for what in ("play.yml", "results.json"))
        names = [f"result_{number}" for number in range(len(tasks))]
        steps: list[dict[str, Any]] = [
            {f"broker_py.mq.{module}": options, "register": name, "ignore_errors": True}
            for name, (module, options) in zip(names, tasks, strict=True)
        ]
        content = "{{ [" + ", ".join(names) + "] | to_json }}"
        steps.append({"ansible.builtin.copy": {"content": content, "dest": str(results)}, "check_mode": False})
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": HOST_PYTHON},
            "module_defaults": {"group/broker_py.mq.cluster": self._defaults},
            "tasks": steps,
        }
        playbook.write_text(yaml.safe_dump([play]))
        await self._play(playbook, ["--check"] if check else [])
        found: list[dict[str, Any]] = json.loads(results.read_text())
        return found

    async def _play(self, playbook: Path, options: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "localhost,", "-c", "local", str(playbook), *options),
            cwd=ROOT,
            env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_HOME": str(self._directory / "ansible")},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
        assert process.returncode == 0, out.decode()


def release(directory: Path) -> str:
    """Make what a release looks like on a host, and return the directory of its commands."""
    packages = directory / "release" / "lib" / "python3.10" / "site-packages"
    shutil.copytree(ROOT / "broker_py", packages / "broker_py", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "release" / "bin").mkdir()
    return str(directory / "release" / "bin")


async def pair(cluster: Cluster) -> tuple[Daemon, Daemon]:
    """Start two name servers, a master and its slave, and return these two."""
    for _ in range(2):
        await cluster.nameserver().start()
    master = cluster.broker()
    await master.start()
    slave = cluster.broker("broker-a", 1, haMasterAddress=f"127.0.0.1:{master.properties['haListenPort']}")
    await slave.start()
    return master, slave


def in_cluster(name: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "cluster": CLUSTER_NAME, **options}


async def test_a_cluster_is_told_changed_as_wanted_and_not_changed_again(cluster: Cluster, tmp_path: Path) -> None:
    master, slave = await pair(cluster)
    play = Play(cluster, tmp_path)
    wanted: list[Task] = [
        ("topic", in_cluster("orders", queues=4, order=True, attributes={"message.type": "FIFO"})),
        ("subscription_group", in_cluster(GROUP, retry_max_times=3)),
        ("broker_config", {"address": master.address, "properties": {"fileReservedTime": 99}}),
        ("broker_permission", {"address": master.address, "write": False}),
    ]
    planned = await play.run(*wanted, check=True)
    assert [each["changed"] for each in planned] == [True] * 4
    done = await play.run(*wanted)
    assert [each["changed"] for each in done] == [True] * 4
    *again, told = await play.run(*wanted, ("cluster_info", {"settings": True, "groups": True}))
    assert [each["changed"] for each in again] == [False] * 4
    assert [(each["address"], each["permission"]) for each in told["brokers"]] == [
        (master.address, 4),
        (slave.address, 6),
    ]
    assert told["topics"]["broker-a"]["orders"] == {
        "read_queues": 4,
        "write_queues": 4,
        "perm": 6,
        "order": True,
        "attributes": {"message.type": "FIFO"},
    }
    assert told["subscription_groups"]["broker-a"][GROUP]["retry_max_times"] == 3
    assert told["sets"]["broker-a"]["master"] == master.address
    assert ["brokerPermission 4" in each for each in told["problems"]] == [True]
    async with cluster.client() as client:
        for name_server in client.name_servers.apart():
            route = await name_server.route("orders")
            assert [queues.perm for queues in route.queue_datas] == [4]
            assert await name_server.kv_config(ORDER_NAMESPACE, "orders") == "broker-a:4"


async def test_what_is_wrong_is_told_by_name_and_what_can_not_be_done_in_a_sentence(
    cluster: Cluster, tmp_path: Path
) -> None:
    master, slave = await pair(cluster)
    play = Play(cluster, tmp_path)
    slave.freeze()
    cluster.nameservers()[1].kill()
    told, refused, unseen = await play.run(
        ("cluster_info", {"cluster": CLUSTER_NAME}),
        ("topic", in_cluster("TBW102", state="absent")),
        ("broker_permission", {"address": master.address, "write": False, "wait_seconds": 1}),
    )
    [no_name_server, no_slave] = told["problems"]
    assert no_name_server.startswith(f"the name server {cluster.nameservers()[1].address} does not answer")
    assert no_slave.startswith(f"broker-a with id 1 at {slave.address} does not answer")
    assert told["sets"]["broker-a"]["slaves"][0]["in_sync"] is False
    assert refused["msg"] == "TBW102 belongs to the brokers themselves and can't be deleted"
    assert "not all clients can know it: the name server" in unseen["msg"]
    assert [each.get("failed", False) for each in (told, refused, unseen)] == [False, True, True]


async def test_topics_and_groups_are_deleted_for_good(cluster: Cluster, tmp_path: Path) -> None:
    await cluster.nameserver().start()
    await cluster.broker().start()
    made: list[Task] = [("topic", in_cluster("orders", order=True)), ("subscription_group", in_cluster(GROUP))]
    deleted: list[Task] = [
        ("topic", in_cluster("orders", state="absent")),
        ("subscription_group", in_cluster(GROUP, state="absent", clean_offsets=True)),
    ]
    play = Play(cluster, tmp_path)
    *results, told = await play.run(*made, *deleted, *deleted, ("cluster_info", {"settings": True}))
    assert [each["changed"] for each in results] == [True, True, True, True, False, False]
    assert (told["topics"], told["subscription_groups"]) == ({"broker-a": {}}, {"broker-a": {}})
    async with cluster.client() as client:
        assert "orders" not in await client.name_servers.topics()
        assert await client.name_servers.kv_config(ORDER_NAMESPACE, "orders") is None


async def test_queues_go_when_a_producer_with_an_old_route_has_left_and_its_messages_are_consumed(
    cluster: Cluster, tmp_path: Path
) -> None:
    master, _ = await pair(cluster)
    play = Play(cluster, tmp_path)
    await play.run(("topic", in_cluster("orders", queues=4)))
    queue = MessageQueue("orders", "broker-a", 3)
    async with cluster.client() as client:
        producer = client.producer("producers")

        async def send() -> int:
            """Send to the queue whatever the routes say; return how many messages it has got."""
            return (await producer.send_to(OutgoingMessage(topic="orders", body=b"m"), queue)).queue_offset + 1

        async def counts() -> tuple[int, int]:
            config = await client.brokers.topic_config(master.address, "orders")
            return config.read_queue_nums, config.write_queue_nums

        await send()
        await client.queues.commit_offset(GROUP, queue, 0)
        [late] = await play.run(("topic_shrink", in_cluster("orders", queues=2, settle_seconds=1, timeout_seconds=1)))
        assert late["waiting_for"][0] == f"the group {GROUP} has 1 messages left in queue 3 of broker-a"
        assert (late["changed"], await counts()) == (True, (4, 2))

        shrinking = asyncio.create_task(play.run(("topic_shrink", in_cluster("orders", queues=2, settle_seconds=2))))
        sent = 0
        for _ in range(20):
            sent = await send()
            await asyncio.sleep(0.1)
        await client.queues.commit_offset(GROUP, queue, sent - 1)
        await asyncio.sleep(4)
        assert (shrinking.done(), await counts()) == (False, (4, 2))
        await client.queues.commit_offset(GROUP, queue, sent)
        [done] = await shrinking
        assert done["steps"] == ["read_queues of orders on broker-a from 4 to 2"]
        assert await counts() == (2, 2)
        with pytest.raises(RequestFailed, match=r"queueId\[3\] is illegal"):
            await send()
        assert await client.brokers.queue_end(master.address, "orders", 3) == sent
