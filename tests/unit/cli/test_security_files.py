"""checkAcl and checkTls as playbooks and people see them."""

import json
from pathlib import Path

import pytest

from broker_py.cli.mqadmin import main
from tests.support.certificates import Authority, tls_properties

Capture = pytest.CaptureFixture[str]
RULES = """
globalWhiteRemoteAddresses: [10.0.9.*]
accounts:
  - {accessKey: orders-app, secretKey: hidden-secret, topicPerms: [orders=PUB|SUB]}
  - {accessKey: operator, secretKey: hidden-secret, admin: true}
"""


def test_sound_rules_are_counted(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "plain_acl.yml"
    file.write_text(RULES)
    assert main(["checkAcl", str(file)]) == 0
    assert capsys.readouterr().out == "2 accounts, 1 of them admins; 1 white addresses\n"
    assert main(["checkAcl", str(file), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"accounts": 2, "admins": 1, "whiteAddresses": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (RULES.replace("orders=PUB|SUB", "orders"), "topicPerms has 'orders', which is not NAME=PERMISSION"),
        (RULES.replace("operator", "orders-app"), "the access key orders-app is there already"),
        ("accounts: [", "it is not YAML"),
    ],
)
def test_what_a_broker_would_not_take_is_said_without_a_secret(
    capsys: Capture, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "plain_acl.yml"
    file.write_text(text)
    assert main(["checkAcl", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert "hidden-secret" not in said.err


def test_files_of_tls_are_used_as_a_daemon_uses_them(capsys: Capture, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    file = tls_properties(tmp_path / "tls.properties", authority, "broker")
    assert main(["checkTls", str(file)]) == 0
    assert capsys.readouterr().out == "servers and clients can use it\n"
    (authority.directory / "broker.key").write_bytes(authority.sign("other")[1].read_bytes())
    assert main(["checkTls", str(file)]) == 1
    assert "they can't be used" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["checkAcl", "checkTls"])
def test_a_file_that_is_not_there_is_no_success(command: str, tmp_path: Path) -> None:
    assert main_status([command, str(tmp_path / "none")]) != 0


def main_status(words: list[str]) -> int:
    """Return the exit status, also of a usage error."""
    try:
        return main(words)
    except SystemExit as ended:
        return int(str(ended.code))
