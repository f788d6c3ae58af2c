"""Short fault runs, from fixed seeds: kills of a pair under sends, and of one broker under each kind of message."""

import logging
from pathlib import Path

import pytest

from tests.faults.history import Outcome
from tests.faults.pair import differences
from tests.faults.rounds import LOADS, Rounds, run_rounds
from tests.faults.run import Plan, run
from tests.support.cluster import Cluster

SHORT = Plan(seed=20260289, kills=4, seconds=60, producers=2, senders=4, pause_seconds=0.4, other_faults=0.3)


@pytest.mark.timeout(600)
async def test_a_pair_that_is_killed_under_load_loses_nothing(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    report = await run(cluster, cluster.broker, SHORT)
    assert not report.found, "\n".join([report.summary(), *report.found.texts])
    assert report.history.outcomes[Outcome.ACKNOWLEDGED] > 100
    assert report.faults["kill master"]
    assert report.faults["kill slave"]
    assert report.kills < sum(report.faults.values())
    assert report.log_bytes


@pytest.mark.timeout(600)
@pytest.mark.parametrize("load", LOADS)
async def test_a_broker_that_is_killed_under_a_kind_of_message_keeps_what_it_promises(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, load: str
) -> None:
    caplog.set_level(logging.CRITICAL)
    report = await run_rounds(cluster, Rounds(load=load, seed=20260289, kills=3, pause_seconds=0.4))
    assert not report.found, "\n".join([report.summary(), *report.found.texts])
    assert report.outcomes[Outcome.ACKNOWLEDGED] > 20
    assert report.killed["under load"] == 3


def test_logs_that_differ_are_told(tmp_path: Path) -> None:
    logs = [tmp_path / name / "store" / "commitlog" for name in ("master", "slave")]
    for log in logs:
        log.mkdir(parents=True)
        (log / "0").write_bytes(b"same" + bytes(4))
    (logs[0] / "8").write_bytes(bytes(8))
    assert differences(*logs) == (8, [])
    (logs[1] / "8").write_bytes(b"\0\0x\0\0\0\0\0")
    (logs[1] / "16").write_bytes(b"y")
    assert differences(*logs) == (16, ["only slave has 16, which holds records", "8 differs from byte 2 on"])
