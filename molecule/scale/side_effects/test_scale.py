"""A third host with a third set comes and goes while a client sends and consumes; at the end all is as it was."""

import pathlib

import pytest
import testinfra
from testinfra.host import Host

from cluster import Cluster
from layout import Layout, read_layout
from playbook_run import run_playbook
from tests.support.traffic import TOPIC, TrafficProcess

SCENARIO = pathlib.Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def after(layout: Layout) -> Layout:
    """The layout with the third set."""
    return read_layout(SCENARIO, layout.state, "layout-after.json")


@pytest.fixture(scope="module")
def new_host(after: Layout) -> Host:
    config = str(after.state / "ssh_config")
    return testinfra.get_host(f"ssh://{after.daemon('broker-c').host}", ssh_config=config, sudo=True)


def test_a_new_set_takes_part_in_every_topic_and_nothing_is_lost(
    layout: Layout, after: Layout, cluster: Cluster, new_host: Host, tmp_path: pathlib.Path
) -> None:
    for master in layout.masters:
        cluster.mqadmin("updateTopic", "-t", "Copied", "-b", master.endpoint, "-r", "3", "-w", "3")
    with TrafficProcess(tmp_path, layout.nameserver_addresses) as traffic:
        done = run_playbook(after, "playbooks/scale_out.yml")
    assert done.succeeded, done.output[-6000:]
    assert (traffic.report["lost"], traffic.report["failed"]) == (0, 0), traffic.report
    assert new_host.service(after.daemon("broker-c").unit).is_running
    route = cluster.mqadmin("topicRoute", "-t", "Copied")
    queues = {each["brokerName"]: each["writeQueueNums"] for each in route["queueDatas"]}
    assert queues == {"broker-a": 3, "broker-b": 3, "broker-c": 3}


def test_a_second_run_changes_nothing(after: Layout) -> None:
    done = run_playbook(after, "playbooks/scale_out.yml")
    assert done.succeeded, done.output[-6000:]
    assert set(done.changed.values()) == {0}


def test_a_set_with_messages_to_consume_stays(after: Layout, cluster: Cluster, new_host: Host) -> None:
    cluster.mqadmin("sendMessage", "-t", "Copied", "-b", "broker-c", "-p", "not consumed")
    done = run_playbook(
        after, "playbooks/scale_in.yml", "-e", "scale_in_set=broker-c", "-e", "scale_in_timeout_seconds=10"
    )
    assert not done.succeeded
    assert "broker-c stays, without new messages, as Copied has 1 messages that no group consumes" in done.output
    assert new_host.service(after.daemon("broker-c").unit).is_running


def test_a_set_that_was_consumed_goes_and_nothing_is_lost(
    layout: Layout, after: Layout, cluster: Cluster, new_host: Host, tmp_path: pathlib.Path
) -> None:
    broker = after.daemon("broker-c")
    with TrafficProcess(tmp_path, layout.nameserver_addresses) as traffic:
        done = run_playbook(
            after,
            "playbooks/scale_in.yml",
            "-e",
            "scale_in_set=broker-c",
            "-e",
            '{"scale_in_ignore_topics": ["Copied"]}',
        )
    assert done.succeeded, done.output[-6000:]
    assert (traffic.report["lost"], traffic.report["failed"]) == (0, 0), traffic.report
    assert not new_host.service(broker.unit).is_running
    assert not new_host.service(broker.unit).is_enabled
    assert not new_host.file(broker.properties_file).exists
    assert new_host.file("/var/lib/broker-py/store/owner.json").exists
    assert cluster.is_whole()
    route = cluster.mqadmin("topicRoute", "-t", TOPIC)
    assert {each["brokerName"] for each in route["queueDatas"]} == {"broker-a", "broker-b"}
