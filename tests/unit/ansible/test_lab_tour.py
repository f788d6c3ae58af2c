import json
import pathlib
import sys
from typing import Any

import pytest

from playbooks.lab.tour import main, process_table, table

# Answers as mqquickstart does: "producer" has sent what was asked for, "consumer" received all but LOST of it.
QUICKSTART = f"""#!{sys.executable}
import json, pathlib, sys
arguments = sys.argv[1:]
count = int(arguments[arguments.index("--count") + 1])
if arguments[arguments.index("-n") + 1] != "127.0.0.1:9876":
    sys.exit("127.0.0.1:1 can't be reached")
brokers = {{"broker-b": 400, "broker-a": 600}}
lost = int((pathlib.Path(__file__).parent / "lost").read_text())
if arguments[0] == "producer":
    print(json.dumps({{"sent": count, "failed": 0, "brokers": brokers}}))
else:
    print(json.dumps({{"received": count - lost, "distinct": count - lost, "brokers": brokers}}))
"""


def lab(top: pathlib.Path, lost: int = 0, nameservers: str = "127.0.0.1:9876") -> pathlib.Path:
    (top / "mqquickstart").write_text(QUICKSTART)
    (top / "mqquickstart").chmod(0o755)
    (top / "lost").write_text(str(lost))
    (top / "broker-a.pid").write_text("4711\n")
    description = {
        "bin_dir": str(top),
        "cluster_name": "DefaultCluster",
        "nameservers": nameservers,
        "processes": [
            process(top, "nameserver", "name server", "127.0.0.1:9876", ""),
            process(top, "broker-a", "ASYNC_MASTER of broker-a", "127.0.0.1:10911", str(top / "store")),
        ],
    }
    file = top / "cluster.json"
    file.write_text(json.dumps(description))
    return file


def process(top: pathlib.Path, name: str, role: str, address: str, store: str) -> dict[str, Any]:
    log = str(top / "logs" / f"{name}.log")
    return {"name": name, "role": role, "address": address, "pid_file": f"{top}/{name}.pid", "store": store, "log": log}


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table([["A", "B"], ["long", "x"]]) == "A     B\nlong  x"


def test_each_process_has_a_line_with_its_pid_or_that_it_is_down(tmp_path: pathlib.Path) -> None:
    cluster = json.loads(lab(tmp_path).read_text())
    lines = [line.split("  ") for line in process_table(cluster, tmp_path).splitlines()]
    cells = [[cell.strip() for cell in line if cell] for line in lines]
    assert cells == [
        ["PROCESS", "ROLE", "ADDRESS", "PID", "STORE", "LOG"],
        ["nameserver", "name server", "127.0.0.1:9876", "down", "-", "logs/nameserver.log"],
        ["broker-a", "ASYNC_MASTER of broker-a", "127.0.0.1:10911", "4711", "store", "logs/broker-a.log"],
    ]


def test_the_tour_sends_and_receives_and_says_so(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(lab(tmp_path))]) == 0
    output = capsys.readouterr().out
    assert "Sent      1000 messages to topic TopicTest: 600 to broker-a, 400 to broker-b" in output
    assert "Received  1000 messages: 600 from broker-a, 400 from broker-b" in output
    assert "mqadmin clusterList -n '127.0.0.1:9876'" in output
    assert "make lab-down" in output


def test_a_message_that_does_not_come_back_fails_the_tour(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(lab(tmp_path, lost=3))]) == 1
    assert "3 of 1000 messages were not sent or not received" in capsys.readouterr().err


def test_a_quickstart_that_fails_ends_the_tour_with_what_it_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(SystemExit, match=r"ended with status 1: 127\.0\.0\.1:1 can't be reached"):
        main([str(lab(tmp_path, nameservers="127.0.0.1:1"))])
