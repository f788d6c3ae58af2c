"""A cluster of RocketMQ becomes ours by the playbooks and RocketMQ's again, while a client sends and consumes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from broker_py.admin.pending import pending_messages
from broker_py.client.client import Client
from broker_py.client.messages import OutgoingMessage
from tests.interop.java import why_not
from tests.interop.java_lab import JavaLab
from tests.support.cluster import until
from tests.support.traffic import make_topic

MASTER: Final = "broker-a"
DELAYED: Final = "Delayed"
ORDERED: Final = {"configTable": {"ORDER_TOPIC_CONFIG": {"Ordered": "broker-a:4;broker-b:4"}}}

pytestmark = [
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.timeout(3600),  # five runs of playbooks that wait for each of five daemons
]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[JavaLab]:
    """A running cluster of RocketMQ; nothing of it outlives the test."""
    made = JavaLab(tmp_path)
    made.kv_config("nameserver").write_text(json.dumps(ORDERED))
    try:
        made.start()
        yield made
    finally:
        made.close()


def all_of(lab: JavaLab, side: str) -> dict[str, str]:
    return dict.fromkeys(lab.daemons, side)


def refused(lab: JavaLab, says: str, **variables: object) -> None:
    """Have a migration fail with a sentence and nothing moved."""
    done = lab.play("playbooks/migrate.yml", **variables)
    assert done.returncode != 0
    assert says in done.stdout
    assert lab.sides() == all_of(lab, "java")
    assert set(lab.stores().values()) == {"java"}


async def delay(client: Client) -> None:
    """Send a message that is delivered in two hours."""
    await make_topic(client, "DefaultCluster", DELAYED, 4)

    async def routed() -> bool:
        return len((await client.name_servers.route(DELAYED)).broker_datas) > 0

    await until(routed, "the topic has a route")
    message = OutgoingMessage(topic=DELAYED, body=b"later", properties={"DELAY": "18"})
    await client.producer("delaying").send(message)


async def ordered(client: Client) -> str | None:
    return await client.name_servers.kv_config("ORDER_TOPIC_CONFIG", "Ordered")


def test_a_cluster_moves_and_comes_back_without_losing_a_message(lab: JavaLab) -> None:
    async def waiting(client: Client) -> int:
        addresses = [each["address"] for each in lab.brokers if each["kind"] == "master"]
        return sum([each.messages for address in addresses for each in await pending_messages(client, address)])

    wrong = {"bindAddress": "127.0.0.1", "mappedFileSizeCommitLog": 1 << 20}
    owner = lab.daemons[MASTER].store / "owner.json"
    with lab.traffic("traffic") as traffic:
        refused(lab, "set mappedFileSizeCommitLog to 16777216 in broker_config", broker_config=wrong)

        # Ours refuses the store of another broker, which nobody looks at before it starts.
        owner.write_text(json.dumps({"brokerClusterName": "Other", "brokerName": "other"}))
        failed = lab.play("playbooks/migrate.yml")
        assert failed.returncode != 0
        assert f"{MASTER} could not be moved and runs as before" in failed.stdout
        moved = {name: "ours" for name in lab.daemons if name == "nameserver" or name.endswith("-s")}
        assert lab.sides() == all_of(lab, "java") | moved
        assert lab.permissions() == {"6"}

        owner.unlink()
        before = lab.sides()
        checked = lab.play("playbooks/migrate.yml", "--check")
        assert checked.returncode == 0, checked.stdout[-6000:]
        assert lab.sides() == before
        lab.ask(delay)
        assert lab.ask(waiting) == 1

        assert lab.changed("playbooks/migrate.yml") > 0
        assert lab.sides() == all_of(lab, "ours")
        assert set(lab.stores().values()) == {"ours"}
        assert lab.permissions() == {"6"}
        assert lab.ask(ordered) == ORDERED["configTable"]["ORDER_TOPIC_CONFIG"]["Ordered"]
        assert lab.changed("playbooks/migrate.yml") == 0
        assert lab.ask(waiting) == 1

        assert lab.changed("playbooks/migrate_back.yml") > 0
        assert lab.ask(waiting) == 1
        assert lab.sides() == all_of(lab, "java")
        assert set(lab.stores().values()) == {"java"}
        assert lab.permissions() == {"6"}
        assert lab.ask(ordered) == ORDERED["configTable"]["ORDER_TOPIC_CONFIG"]["Ordered"]
    assert traffic.report["acknowledged"] > 0
    assert (traffic.report["lost"], traffic.report["failed"]) == (0, 0), traffic.report
    assert set(traffic.report["got_from"]) == {"broker-a", "broker-b"}
