"""checkStore and dumpLog as scripts and people see them."""

import json
from pathlib import Path

import pytest

from broker_py.cli.mqadmin import main
from broker_py.runtime.clock import SystemClock
from broker_py.runtime.files import DiskFiles
from broker_py.store.config import StoreConfig
from broker_py.store.store import Store
from tests.support.stores import STORE_HOST, a_message

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The directory of a store that was stopped."""
    config = StoreConfig(
        store_path_root_dir=str(tmp_path), mapped_file_size_commit_log=4096, mapped_file_size_consume_queue=400
    )
    opened = Store(config, DiskFiles(), SystemClock(), STORE_HOST)
    opened.load()
    for n in range(60):
        opened.append(a_message(b"body %d" % n, queue_id=n % 2, tag="A", extra=b"KEYS\x01k%d" % n))
    opened.append(a_message(b"\xff\xfe", topic="Other"))
    opened.commit()
    opened.dispatch(opened.written.value)
    opened.close()
    return tmp_path


def status(*argv: object) -> int:
    try:
        return main([str(each) for each in argv])
    except SystemExit as end:
        return int(end.code or 0)


def damage(store: Path, position: int) -> None:
    log = store / "commitlog" / "00000000000000000000"
    data = bytearray(log.read_bytes())
    data[position] ^= 1
    log.write_bytes(data)


def test_a_whole_store_is_status_0(store: Path, capsys: Capture) -> None:
    assert status("checkStore", store) == 0
    out = capsys.readouterr().out
    assert "The store is whole." in out
    assert "T       0     0            30           30" in out


def test_damage_is_status_1_and_said_with_its_place(store: Path, capsys: Capture) -> None:
    damage(store, 90)
    assert status("checkStore", f"{store}/") == 1
    out = capsys.readouterr().out
    assert "damaged: log offset 0, topic T queue 0 queue offset 0" in out
    assert "1 damaged places in the log, 0 other faults." in out


def test_a_report_as_json(store: Path, capsys: Capture) -> None:
    damage(store, 90)
    assert status("checkStore", store, "-o", "json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["whole"], report["messages"], report["damaged"], report["lockHolder"]) == (False, 61, 1, None)
    assert report["damages"][0]["fault"] == "its body fails its CRC"
    assert report["queues"][0] | {"topic": "Other", "end": 1} == report["queues"][0]
    assert report["checkpoint"]["durableOffset"] == report["logEnd"]


@pytest.mark.parametrize("name", ["checkStore", "dumpLog"])
def test_what_is_no_store_is_a_usage_error(name: str, tmp_path: Path, capsys: Capture) -> None:
    assert status(name) == 2
    assert status(name, tmp_path / "nowhere") == 2
    assert "nowhere is no directory" in capsys.readouterr().err
    assert status(name, tmp_path) == 2
    assert "it has no directory commitlog" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkStore", "dumpLog"])
def test_no_name_server_is_asked_for(name: str, capsys: Capture) -> None:
    assert status("help", name) == 0
    out = capsys.readouterr().out
    assert "--namesrvAddr" not in out
    assert "DIR" in out


def dumped(capsys: Capture, *argv: object) -> list[dict[str, object]]:
    assert status("dumpLog", *argv, "-o", "json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_messages_are_json_lines(store: Path, capsys: Capture) -> None:
    records = dumped(capsys, store)
    assert len(records) == 61
    assert (
        records[3] | {"topic": "T", "queueId": 1, "queueOffset": 1, "tags": "A", "keys": "k3", "body": "body 3"}
        == (records[3])
    )
    assert records[3]["properties"] == {"TAGS": "A", "KEYS": "k3"}
    assert records[60] | {"topic": "Other", "bodyHex": "fffe", "bodyBytes": 2} == records[60]


def test_a_part_is_chosen_by_offset_topic_queue_and_number(store: Path, capsys: Capture) -> None:
    everything = [record["logOffset"] for record in dumped(capsys, store)]
    assert isinstance(everything[5], int)
    assert isinstance(everything[9], int)
    part = dumped(capsys, store, "--from", everything[5] - 1, "--to", everything[9])
    assert [record["logOffset"] for record in part] == everything[5:9]
    assert [record["queueOffset"] for record in dumped(capsys, store, "-t", "T", "-i", 1, "-c", 3)] == [0, 1, 2]
    assert [record["body"] for record in dumped(capsys, store, "-c", 1, "--bodyBytes", 3)] == ["bod"]


def test_a_line_for_a_person(store: Path, capsys: Capture) -> None:
    assert status("dumpLog", store, "-c", 1) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("0 T queue 0 offset 0 ")
    assert "TAGS: [A] KEYS: [k0]" in captured.out
    assert "BODY(6): 'body 0'" in captured.out
    assert captured.err == "1 messages\n"


def test_damage_in_between_is_printed_and_status_1(store: Path, capsys: Capture) -> None:
    damage(store, 4)
    assert status("dumpLog", store, "-o", "json") == 1
    captured = capsys.readouterr()
    records = [json.loads(line) for line in captured.out.splitlines()]
    assert records[0]["damaged"] == "there is no record"
    assert len(records) == 61
    assert "mqadmin dumpLog: damaged: log offset 0" in captured.err
