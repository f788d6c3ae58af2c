"""What the broker could not write besides messages."""

import pytest

from broker_py.broker.upkeep import Upkeep


def test_each_thing_that_can_not_be_written_is_named_until_it_is_written() -> None:
    upkeep = Upkeep()
    assert Upkeep().warning is None
    upkeep.failed("the consumer offsets", OSError(28, "no room"))
    upkeep.failed("the checkpoint", OSError(5, "broken"))
    assert upkeep.warning == (
        "the consumer offsets can't be written: [Errno 28] no room; the checkpoint can't be written: [Errno 5] broken"
    )
    upkeep.done("the consumer offsets")
    upkeep.done("the consumer offsets")
    assert upkeep.warning == "the checkpoint can't be written: [Errno 5] broken"


def test_the_same_fault_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    upkeep = Upkeep()
    with caplog.at_level("INFO"):
        for text in ("no room", "no room", "broken"):
            upkeep.failed("the checkpoint", OSError(text))
        upkeep.done("the checkpoint")
        upkeep.done("the checkpoint")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
