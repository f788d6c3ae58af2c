"""The playbooks of day two that move nothing but metadata, and the end of a cluster, with real processes."""

import json
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker_py.cli.session import open_client
from broker_py.client.messages import OutgoingMessage
from broker_py.model.message_queue import MessageQueue
from tests.integration.test_lab import Lab
from tests.support.cluster import until

CLUSTER = "DefaultCluster"
DECLARED: dict[str, Any] = {
    "topics": [
        {"name": "orders", "queues": 6, "attributes": {"message.type": "NORMAL"}},
        {"name": "ledger", "queues": 2, "order": True},
    ],
    "subscription_groups": [{"name": "billing", "retry_max_times": 3}],
}
SMALL: dict[str, Any] = {
    "broker_sets": ["broker-a"],
    "broker_slaves_per_master": 0,
    "common_nameservers_per_host": 1,
    "broker_config": {"bindAddress": "127.0.0.1", "mappedFileSizeCommitLog": 1 << 20},
}
SECRET = "hunter2"

# In the order of this file: each test finds the cluster as the one before left it.
pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("site")]


class Site:
    """A name server and a master, deployed in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.lab = Lab(directory)
        self.namesrv = f"127.0.0.1:{self.lab.port_base}"
        self.master = f"127.0.0.1:{self.lab.port_base + 11}"
        self.backups = directory.parent / "backups"
        self.backups.mkdir()

    def play(self, playbook: str, *words: str, fails: bool = False, **variables: Any) -> str:
        """Run a playbook and return what it says."""
        done = self.lab.ansible(playbook, *words, "-e", json.dumps({**SMALL, **variables}))
        assert (done.returncode != 0) is fails, done.stdout[-6000:] + done.stderr[-2000:]
        return " ".join(done.stdout.split())

    def deploy(self) -> None:
        """Bring the cluster up, without what site.yml does beyond that."""
        self.play("playbooks/runtime.yml", "playbooks/nameserver.yml", "playbooks/broker.yml", "playbooks/gate.yml")

    @property
    def backup(self) -> Path:
        """The only backup that was made."""
        [found] = self.backups.iterdir()
        return found

    def restore(self, *words: str, fails: bool = False, **variables: Any) -> str:
        """Give the cluster what the backup has."""
        return self.play("playbooks/restore.yml", *words, fails=fails, restore_from=str(self.backup), **variables)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site") / "lab")
    try:
        site.deploy()
        yield site
    finally:
        site.play("playbooks/stop.yml")


async def metadata(site: Site) -> tuple[Any, ...]:
    """Return what the cluster knows of the declared topics and groups, and the order of the ordered one."""
    async with open_client(site.namesrv) as client:
        topics = await client.brokers.topics(site.master)
        groups = await client.brokers.groups(site.master)
        order = await client.name_servers.kv_config("ORDER_TOPIC_CONFIG", "ledger")
        return topics.get("orders"), topics.get("ledger"), groups.get("billing"), order


async def test_declared_topics_and_groups_are_made_once(site: Site) -> None:
    site.play("playbooks/topics.yml", **DECLARED)
    orders, ledger, billing, order = await metadata(site)
    assert (orders.read_queue_nums, orders.write_queue_nums, orders.attributes) == (6, 6, {"message.type": "NORMAL"})
    assert (ledger.order, order, billing.retry_max_times) == (True, "broker-a:2", 3)
    assert "changed=0" in site.play("playbooks/topics.yml", **DECLARED)
    assert "changed=0" in site.play("playbooks/topics.yml")


def test_a_misspelt_declaration_is_refused_by_name(site: Site) -> None:
    said = site.play("playbooks/topics.yml", fails=True, topics=[{"name": "orders", "queus": 8}])
    assert "queus" in said


async def test_a_backup_restored_into_a_fresh_cluster_has_the_same_metadata(site: Site) -> None:
    async with open_client(site.namesrv) as client:
        await client.producer("shop").send(OutgoingMessage(topic="orders", body=b"1"))
        for queue_id in range(6):
            await client.queues.commit_offset("billing", MessageQueue("orders", "broker-a", queue_id), queue_id)
    before = await metadata(site)
    offsets = site.lab.home / "store" / "config" / "consumerOffset.json"
    await until(lambda: written(offsets), "the offsets are on disk")
    site.play("playbooks/backup.yml", backup_dir=str(site.backups))
    assert stat.S_IMODE(site.backup.stat().st_mode) == 0o700
    assert sorted(path.relative_to(site.backup).as_posix() for path in site.backup.rglob("*") if path.is_file()) == [
        "SHA256SUMS",
        "brokers/broker-a/consumerOffset.json",
        "brokers/broker-a/subscriptionGroup.json",
        "brokers/broker-a/topics.json",
        "nameservers/localhost/nameserver/kvConfig.json",
        "properties/localhost/broker-a.properties",
        "properties/localhost/nameserver.properties",
    ]

    site.play("playbooks/uninstall.yml", uninstall_confirm=CLUSTER, uninstall_data=True)
    site.deploy()
    assert await metadata(site) == (None, None, None, None)
    dry = site.restore("--check", "--diff")
    assert "make topic orders on broker-a" in dry
    assert await metadata(site) == (None, None, None, None)
    site.restore()
    assert await metadata(site) == before
    assert "changed=0" in site.restore()


async def written(path: Path) -> bool:
    """Say whether the last of the offsets has been saved."""
    return path.exists() and '"5":5' in path.read_text().replace(" ", "")


async def test_offsets_are_restored_where_the_queue_reaches_that_far_and_only_if_asked(site: Site) -> None:
    async with open_client(site.namesrv) as client:
        assert ("orders", "billing") not in await client.brokers.consumer_offsets(site.master)
    said = site.restore(restore_offsets=True)
    assert "billing stood at 5 of queue 5 of orders on broker-a, which ends at 0" in said
    async with open_client(site.namesrv) as client:
        assert (await client.brokers.consumer_offsets(site.master))["orders", "billing"] == {0: 0}
    assert "changed=0" in site.restore(restore_offsets=True)


def test_a_backup_that_has_changed_or_is_not_whole_is_refused(site: Site) -> None:
    topics = site.backup / "brokers" / "broker-a" / "topics.json"
    kept = topics.read_bytes()
    topics.write_bytes(kept.replace(b"orders", b"borders"))
    assert "brokers/broker-a/topics.json has changed" in site.restore(fails=True)
    topics.write_bytes(kept)
    said = site.play("playbooks/restore.yml", fails=True, restore_from=str(site.backups))
    assert "There is no whole backup in" in said


def test_a_support_bundle_is_made_while_daemons_are_down_and_has_no_secret(site: Site, tmp_path: Path) -> None:
    log = site.lab.home / "logs" / "rocketmqlogs" / "broker-a" / "broker.log"
    with log.open("a") as lines:
        lines.write(f"a client came with secretKey={SECRET}\n")
    os.kill(site.lab.pids()["broker-a"], 9)
    site.play("playbooks/support_bundle.yml", support_bundle_dir=str(tmp_path))
    [bundle] = tmp_path.iterdir()
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    with tarfile.open(bundle) as packed:
        texts = {
            Path(member.name).name: file.read().decode()
            for member in packed.getmembers()
            if (file := packed.extractfile(member)) is not None
        }
    assert {"sysctls.txt", "arrays.txt", "space.txt", "ports.txt", "journal.txt", "cluster.json"} <= texts.keys()
    assert any(name.endswith("broker-a.properties") and "brokerName=broker-a" in text for name, text in texts.items())
    assert any("a client came with secretKey=" in text for text in texts.values())
    assert not [name for name, text in texts.items() if SECRET in text]
    assert "no name server reports a broker" in texts["cluster.json"]


def test_uninstalling_needs_the_name_of_the_cluster(site: Site) -> None:
    site.deploy()
    running = site.lab.pids()
    said = site.play("playbooks/uninstall.yml", fails=True, uninstall_data=True, uninstall_confirm="yes")
    assert "together with all its messages" in said
    assert "changed=0" in said
    assert site.lab.pids() == running


async def test_uninstalling_keeps_the_messages_for_who_deploys_again(site: Site) -> None:
    async with open_client(site.namesrv) as client:
        await client.producer("shop").send(OutgoingMessage(topic="orders", body=b"kept"))
    site.play("playbooks/uninstall.yml", uninstall_confirm=CLUSTER)
    assert site.lab.pids() == {}
    assert not (site.lab.home / "conf").exists()
    assert "changed=0" in site.play("playbooks/uninstall.yml", uninstall_confirm=CLUSTER)
    site.deploy()
    async with open_client(site.namesrv) as client:
        await until(lambda: client.queues.queues("orders"), "the topic is known")
        ends = [await client.queues.max_offset(queue) for queue in await client.queues.queues("orders")]
    assert sum(ends) == 1
