"""mqquickstart: the article's first test."""

import json
from typing import Any

import pytest

from broker_py.cli.mqquickstart import CONSUMER_GROUP, main
from broker_py.wire.codes import RequestCode
from tests.unit.client.fake_cluster import FakeCluster

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _topic(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMESRV_ADDR", cluster.namesrv)
    for store in (cluster.store_a, cluster.store_b):
        store.add_topic("TopicTest", 2)


def summary(capsys: Capture, *argv: str, status: int = 0) -> dict[str, Any]:
    assert main([*argv, "-o", "json"]) == status
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_what_the_producer_sends_the_consumer_receives(capsys: Capture) -> None:
    sent = summary(capsys, "producer", "--count", "40")
    assert (sent["sent"], sent["failed"], sent["brokers"]) == (40, 0, {"broker-a": 20, "broker-b": 20})
    received = summary(capsys, "consumer", "--count", "40")
    assert (received["received"], received["distinct"]) == (40, 40)
    assert received["brokers"] == {"broker-a": 20, "broker-b": 20}


def test_a_thousand_messages_are_sent_when_no_count_is_given(cluster: FakeCluster, capsys: Capture) -> None:
    assert summary(capsys, "producer")["sent"] == 1000
    assert cluster.store_a.stored + cluster.store_b.stored == 1000


def test_the_producer_prints_a_line_for_each_message(capsys: Capture) -> None:
    assert main(["producer", "--count", "2"]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert captured.out.startswith("SendResult [sendStatus=SEND_OK, msgId=")
    assert "2 of 2 messages sent" in captured.err


def test_the_consumer_prints_each_message(capsys: Capture) -> None:
    assert main(["producer", "--count", "1"]) == 0
    capsys.readouterr()
    assert main(["consumer", "--count", "1"]) == 0
    captured = capsys.readouterr()
    assert "tags=TagA" in captured.out
    assert "body=Hello RocketMQ 0]" in captured.out


def test_the_consumer_is_a_member_of_the_quickstarts_group_and_leaves_it(cluster: FakeCluster) -> None:
    main(["producer", "--count", "1"])
    main(["consumer", "--count", "1"])
    assert cluster.store_a.members[CONSUMER_GROUP] == {}


def test_a_second_consumer_gets_nothing_that_the_first_had(capsys: Capture) -> None:
    main(["producer", "--count", "4"])
    main(["consumer", "--count", "4"])
    capsys.readouterr()
    assert summary(capsys, "consumer", "--timeout", "1")["received"] == 0


def test_fewer_messages_than_wanted_until_the_time_out_is_status_1(capsys: Capture) -> None:
    assert summary(capsys, "consumer", "--count", "1", "--timeout", "1", status=1)["received"] == 0


def test_a_message_that_could_not_be_sent_is_counted_and_the_others_go_on(
    cluster: FakeCluster, capsys: Capture
) -> None:
    cluster.a.refuse[RequestCode.SEND_MESSAGE_V2] = (13, 1)
    sent = summary(capsys, "producer", "--count", "4", status=1)
    assert (sent["sent"], sent["failed"]) == (3, 1)


@pytest.mark.parametrize("role", ["producer", "consumer"])
def test_no_name_server_there_is_status_3(capsys: Capture, role: str) -> None:
    assert main([role, "-n", "127.0.0.1:1", "--timeout", "5"]) == 3
    assert "127.0.0.1:1" in capsys.readouterr().err


def test_no_name_server_given_is_a_usage_error(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAMESRV_ADDR")
    with pytest.raises(SystemExit) as end:
        main(["producer"])
    assert end.value.code == 2
    assert "NAMESRV_ADDR" in capsys.readouterr().err
