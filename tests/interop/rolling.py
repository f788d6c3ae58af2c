"""Upgrade a cluster with its playbook while the official Java client sends and consumes; no send may fail.

    python -m tests.interop.rolling

A name server and two sets that replicate synchronously, deployed from a release; the upgrade drains and restarts each
daemon. The Java client fetches routes every second, so each drain waits 5 s and not the 35 that other clients need.
Exits with 1 when a message is lost or a send failed after the client's own retries. Needs a JDK.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from broker_py.admin.topics import update_topic
from broker_py.model.topic import TopicConfig
from tests.interop.java import why_not
from tests.interop.java_client import JavaClient
from tests.support.cluster import until
from tests.support.rolled_lab import RolledLab
from tests.support.wheels import make_wheel

TOPIC: Final = "Rolling"
RATE: Final = 200
OLD, NEW = "1.0.0", "1.1.0"
_DRAIN: Final = {"broker_drain_seconds": 5, "broker_drain_quiet_seconds": 2}
_PATIENCE_SECONDS: Final = 90.0


async def upgrade_under_load(lab: RolledLab, directory: Path) -> bool:
    """Upgrade beside the Java client and print what became of its messages; True when all is well."""
    async with JavaClient.running(directory / "client", lab.address, TOPIC, RATE) as client:
        events = client.events

        async def consumed() -> bool:
            return bool(events.got) and not events.lost

        await until(consumed, "messages are sent and consumed", _PATIENCE_SECONDS)
        wheel = str(make_wheel(directory / "wheels", NEW))
        await asyncio.to_thread(lab.changed, "playbooks/upgrade.yml", runtime_wheel=wheel, **_DRAIN)
        client.tell("finish")
        await client.hears("finished")
        try:
            await until(consumed, "everything is consumed", _PATIENCE_SECONDS)
        except AssertionError:
            pass  # the summary says what is lost
        await client.end()
    versions = sorted({version for _, version in lab.running().values()})
    sys.stdout.write(
        f"releases {versions}, acknowledged {len(events.sent)}, failed {len(events.failed)}, "
        f"consumed {len({event.key for event in events.got})}, duplicates {events.duplicates}, "
        f"lost {len(events.lost)}\n"
    )
    for line in events.failed[:5]:
        sys.stdout.write(f"{line}\n")
    return versions == [NEW] and not events.failed and not events.lost


def run(directory: Path) -> bool:
    """Deploy, upgrade, stop."""
    lab = RolledLab(directory / "lab", OLD)
    try:
        lab.changed("site.yml")
        topic = TopicConfig(topic_name=TOPIC, read_queue_nums=8, write_queue_nums=8)
        lab.ask(lambda client: update_topic(client, topic, cluster="DefaultCluster"))
        return asyncio.run(upgrade_under_load(lab, directory))
    finally:
        lab.play("playbooks/stop.yml")


def main() -> int:
    """Run, return the exit status."""
    missing = why_not()
    if missing is not None:
        sys.stdout.write(f"{missing}\n")
        return os.EX_UNAVAILABLE
    with tempfile.TemporaryDirectory() as directory:
        return 0 if run(Path(directory)) else 1


if __name__ == "__main__":
    sys.exit(main())
