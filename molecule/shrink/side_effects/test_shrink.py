"""A topic goes from 16 to 8 queues on each broker while a client sends and consumes."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest
from testinfra.host import Host

from cluster import Cluster
from layout import TOP, Layout
from playbook_run import PlaybookRun
from tests.support.traffic import TOPIC, TrafficProcess
from waiting import wait_until

BEFORE, AFTER = 16, 8
SHRINK = ("playbooks/queue_shrink.yml", "-e", f"topic={TOPIC}", "-e", f"queues={AFTER}")
MODULE = "[A]nsiballZ_topic_shrink"  # a pattern that does not match the command line that it is on

pytestmark = pytest.mark.timeout(900)


def counts(cluster: Cluster) -> set[tuple[int, int]]:
    """Return how many queues are written and how many are read, of all brokers."""
    queues = cluster.mqadmin("topicRoute", "-t", TOPIC)["queueDatas"]
    return {(each["writeQueueNums"], each["readQueueNums"]) for each in queues}


def kill_half_way(layout: Layout, cluster: Cluster, host: Host) -> None:
    """Run the playbook and kill it, and what it does on the host, when the writers have been told to leave."""
    inventories = [word for inventory in layout.inventories for word in ("-i", str(inventory))]
    command = [str(pathlib.Path(sys.executable).with_name("ansible-playbook")), *inventories, *SHRINK]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            wait_until(lambda: counts(cluster) == {(AFTER, BEFORE)}, "the writers have left")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    host.run("pkill --signal KILL --full %s", MODULE)
    wait_until(lambda: host.run("pgrep --full %s", MODULE).rc != 0, "what ran on the host has ended too")


def test_interrupted_half_way_and_run_again_it_ends_right_and_loses_nothing(
    layout: Layout,
    hosts: dict[str, Host],
    cluster: Cluster,
    playbook: Callable[..., PlaybookRun],
    tmp_path: pathlib.Path,
) -> None:
    with TrafficProcess(tmp_path, layout.nameserver_addresses, "--queues", str(BEFORE)) as traffic:
        assert counts(cluster) == {(BEFORE, BEFORE)}
        kill_half_way(layout, cluster, hosts[layout.nameservers[0].host])
        assert counts(cluster) == {(AFTER, BEFORE)}
        done = playbook(*SHRINK)
        assert done.succeeded, done.output[-6000:]
        assert counts(cluster) == {(AFTER, AFTER)}
        time.sleep(5)  # clients go on with the queues that are left
    assert traffic.report["acknowledged"] > 1000, traffic.report
    assert (traffic.report["lost"], traffic.report["failed"]) == (0, 0), traffic.report
    assert set(last_queues(tmp_path)) == {str(number) for number in range(AFTER)}


def last_queues(directory: pathlib.Path) -> Counter[str]:
    """Return how many of the last 200 messages went to which queue."""
    sent = [line.split() for line in (directory / "journal").read_text().splitlines() if line.startswith("sent ")]
    return Counter(queue for _, _, _, queue in sent[-200:])


def test_once_it_is_done_it_changes_nothing(playbook: Callable[..., PlaybookRun]) -> None:
    done = playbook(*SHRINK)
    assert done.succeeded, done.output[-6000:]
    assert set(done.changed.values()) == {0}


def test_what_no_group_has_consumed_stays_within_reach(
    layout: Layout, cluster: Cluster, playbook: Callable[..., PlaybookRun]
) -> None:
    topic = "Unread"
    master = layout.masters[0]
    cluster.mqadmin("updateTopic", "-t", topic, "-b", master.endpoint, "-r", "2", "-w", "2")
    for number in range(2):
        cluster.mqadmin("sendMessage", "-t", topic, "-b", master.broker_name, "-i", str(number), "-p", f"{number}")
    words = ("playbooks/queue_shrink.yml", "-e", f"topic={topic}", "-e", "queues=1")
    done = playbook(*words)
    assert not done.succeeded
    assert f"no group consumes {topic}, and the queues from 1 on hold 1 messages" in done.output
    assert sorted(cluster.stored(topic, master.broker_name)) == ["0", "1"]
