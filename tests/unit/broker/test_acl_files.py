"""Files of access rules: read, changed by tools, changed by hand, broken."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from broker_py.broker.acl.files import AclFiles, Yaml
from broker_py.broker.acl.rules import DENY, PUB, SUB, Rules, parse_rules
from broker_py.broker.acl.service import AclService
from broker_py.broker.handlers.acl import AclHandler
from broker_py.errors import ConfigError
from broker_py.remoting.router import Router
from broker_py.runtime.yaml_text import dump_yaml, load_yaml
from broker_py.seams import read_file, replace_file
from broker_py.wire.command import Reply
from tests.support.clock import ManualClock
from tests.support.memory_files import MemoryFiles
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import CONFIG, a_command, body_of

MAIN = "/conf/plain_acl.yml"
SHIPPED = b"""
globalWhiteRemoteAddresses:
  - 10.10.103.*
  - 192.168.0.*

accounts:
  - accessKey: RocketMQ
    secretKey: 12345678
    whiteRemoteAddress:
    admin: false
    defaultTopicPerm: DENY
    defaultGroupPerm: SUB
    topicPerms:
      - topicA=DENY
      - topicB=PUB|SUB
      - topicC=SUB
    groupPerms:
      # the group should convert to retry topic
      - groupA=DENY
      - groupB=PUB|SUB
      - groupC=SUB

  - accessKey: rocketmq2
    secretKey: 12345678
    whiteRemoteAddress: 192.168.1.*
    # if it is admin, it could access all resources
    admin: true
"""


class Place:
    """A conf directory in memory, and what serves it."""

    def __init__(self, content: bytes = SHIPPED) -> None:
        self.files = MemoryFiles()
        self.files.make_dirs("/conf/acl")
        self.write(MAIN, content)
        self.acl = AclService(AclFiles(self.files, "/conf", Yaml(load_yaml, dump_yaml), ManualClock()))
        self.router = Router()
        AclHandler(CONFIG, self.acl).register(self.router)

    def write(self, path: str, content: bytes) -> None:
        replace_file(self.files, path, content)

    @property
    def rules(self) -> Rules:
        return self.acl.rules

    async def ask(self, code: int, **ext: Any) -> Reply:
        peer, command = MemoryPeer(), a_command(code, ext)
        self.router.dispatch(command, peer)
        for _ in range(2000):
            reply = peer.reply_to(command)
            if reply is not None:
                return reply
            await asyncio.sleep(0.001)
        raise AssertionError("no answer")


def play(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scenario())


def test_the_file_that_rocketmq_ships_is_understood() -> None:
    rules = Rules([parse_rules(load_yaml(SHIPPED, MAIN), MAIN)])
    one, two = rules.accounts["RocketMQ"], rules.accounts["rocketmq2"]
    assert one.secret_key == "12345678"
    assert (one.admin, two.admin) == (False, True)
    assert one.topics == {"topicA": DENY, "topicB": PUB | SUB, "topicC": SUB}
    assert one.groups == {"groupA": DENY, "groupB": PUB | SUB, "groupC": SUB}
    assert (one.default_topic, one.default_group) == (DENY, SUB)
    assert two.white.matches("192.168.1.9")
    assert not one.white.matches("192.168.1.9")
    assert rules.is_white("10.10.103.7")
    assert not rules.is_white("10.10.104.7")
    assert "12345678" not in repr(rules.accounts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"- a", "no mapping"),
        (b"accounts: 7", "accounts is no list"),
        (b"accounts: [7]", "account 1 is no mapping"),
        (b"accounts: [{accessKey: short1, secretKey: secret-value}]", "accessKey must have 7 characters"),
        (b"accounts: [{accessKey: long-key, secretKey: s3cret}]", r"\(long-key\): its secretKey must have 7"),
        (b"accounts: [{accessKey: long-key, secretKey: 2020-02-20}]", "secretKey is no text; put it in quotes"),
        (b"accounts: [{accessKey: long-key, secretKey: secret-value, admin: 7}]", "neither true nor false"),
        (b"accounts: [{accessKey: long-key, secretKey: secret-value, topicPerms: [T]}]", "not NAME=PERMISSION"),
        (b"accounts: [{accessKey: long-key, secretKey: secret-value, topicPerms: T}]", "topicPerms is no list"),
        (b"accounts: [{accessKey: long-key, secretKey: secret-value, whiteRemoteAddress: x}]", "'x' is no address"),
        (b"globalWhiteRemoteAddresses: [10.0.0.300]", "globalWhiteRemoteAddresses: '10.0.0.300'"),
        (b"dataVersion: [7]", "dataVersion is no list of mappings"),
        (b"a: [", "line 1: it is not YAML"),
        (b"a: &x 1\nb: *x", "line 1: anchors and aliases"),
        (b"\xff", "not YAML"),
        (b"a: !!python/object/apply:os.system [id]", "not YAML"),
        (b"[" * 30, "more than 20 levels"),
        (b"x" * (1 << 20) + b"x", "1048576 are allowed"),
    ],
)
def test_a_broken_file_is_refused_with_the_reason_and_without_the_secret(text: bytes, reason: str) -> None:
    place = Place(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        place.acl.load()
    assert MAIN in str(caught.value)
    assert "secret-value" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_empty_file_has_no_accounts() -> None:
    place = Place(b"")
    place.acl.load()
    assert place.rules.accounts == {}


def test_without_any_file_there_is_no_start() -> None:
    place = Place()
    place.files.remove(MAIN)
    with pytest.raises(ConfigError, match=r"there is no /conf/plain_acl\.yml"):
        place.acl.load()


def test_more_files_count_and_the_first_has_a_key() -> None:
    place = Place()
    place.files.make_dirs("/conf/acl/team")
    place.write("/conf/acl/team/more.yaml", b"accounts: [{accessKey: more-key, secretKey: more-secret}]")
    place.write("/conf/acl/same.yml", b"accounts: [{accessKey: RocketMQ, secretKey: other-secret}]")
    place.write("/conf/acl/tools.yml", b"accessKey: a")
    place.write("/conf/acl/read.me", b"no rules")
    place.acl.load()
    assert set(place.rules.accounts) == {"RocketMQ", "rocketmq2", "more-key"}
    assert place.rules.accounts["RocketMQ"].secret_key == "12345678"
    assert len(place.rules.warnings) == 1


def test_a_changed_file_counts_and_a_bad_one_does_not(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        place.write(MAIN, SHIPPED.replace(b"rocketmq2", b"rocketmq3"))
        await place.acl.refresh()
        assert "rocketmq3" in place.rules.accounts
        with caplog.at_level(logging.INFO):
            place.write(MAIN, b"accounts: [{accessKey: rocketmq4, secretKey: tiny}]")
            for _ in range(3):
                await place.acl.refresh()
        assert "rocketmq3" in place.rules.accounts
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert place.acl.fault is not None
        assert "secretKey must have" in place.acl.fault
        place.files.remove(MAIN)
        await place.acl.refresh()
        assert "rocketmq3" in place.rules.accounts
        assert place.acl.fault is not None
        place.write(MAIN, SHIPPED)
        await place.acl.refresh()
        assert "rocketmq2" in place.rules.accounts

    play(scenario)


def test_tools_make_change_and_remove_accounts() -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        new = {"accessKey": "new-key", "secretKey": "new-secret", "admin": False, "topicPerms": "T=PUB,U=SUB|PUB"}
        assert (await place.ask(50, **new)).code == 0
        account = place.rules.accounts["new-key"]
        assert account.topics == {"T": PUB, "U": PUB | SUB}
        assert (await place.ask(50, accessKey="new-key", admin=True, defaultGroupPerm="SUB")).code == 0
        account = place.rules.accounts["new-key"]
        assert (account.secret_key, account.admin, account.default_group) == ("new-secret", True, SUB)
        assert account.topics == {"T": PUB, "U": PUB | SUB}
        written = load_yaml(read_file(place.files, MAIN), MAIN)
        assert written["dataVersion"] == [{"counter": 2, "timestamp": 1_700_000_000_000}]
        assert written["accounts"][0]["accessKey"] == "RocketMQ"
        assert (await place.ask(51, accessKey="new-key")).code == 0
        assert "new-key" not in place.rules.accounts
        gone = await place.ask(51, accessKey="new-key")
        assert (gone.code, gone.remark) == (210, "there is no account new-key")

    play(scenario)


@pytest.mark.parametrize(
    "ext",
    [
        {"accessKey": "k", "secretKey": "long-secret"},
        {"accessKey": "new-key", "secretKey": "tiny"},
        {"accessKey": "new-key"},
        {"accessKey": "RocketMQ", "secretKey": "******"},
        {"accessKey": "new-key", "secretKey": "long-secret", "topicPerms": "T=WHATEVER"},
        {"accessKey": "new-key", "secretKey": "long-secret", "topicPerms": "T"},
        {"accessKey": "new-key", "secretKey": "long-secret", "defaultTopicPerm": "ALL"},
        {"accessKey": "new-key", "secretKey": "long-secret", "whiteRemoteAddress": "everywhere"},
    ],
)
def test_what_is_no_account_is_not_written(ext: dict[str, str]) -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        reply = await place.ask(50, **ext)
        assert reply.code == 209
        assert "long-secret" not in (reply.remark or "")
        assert read_file(place.files, MAIN) == SHIPPED

    play(scenario)


def test_the_white_list_of_a_known_file_can_be_replaced_and_of_no_other() -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        assert (await place.ask(53, globalWhiteAddrs="10.0.0.1,10.0.1.*")).code == 0
        assert place.rules.is_white("10.0.1.9")
        assert not place.rules.is_white("10.10.103.7")
        for path in ("/conf/acl/new.yml", "/conf/acl/../../etc/passwd.yml", "/etc/cron.d/x", "/conf/plain_acl.yml/"):
            assert (await place.ask(53, globalWhiteAddrs="*", aclFileFullPath=path)).code == 211
        assert (await place.ask(53, globalWhiteAddrs="nonsense")).code == 211
        assert sorted(place.files.dump()) == [MAIN]

    play(scenario)


def test_nothing_is_written_over_a_file_that_is_not_sound() -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        place.write(MAIN, b"accounts: [7]")
        reply = await place.ask(51, accessKey="RocketMQ")
        assert reply.code == 210
        assert read_file(place.files, MAIN) == b"accounts: [7]"

    play(scenario)


def test_versions_and_rules_are_shown_without_secrets() -> None:
    async def scenario() -> None:
        place = Place()
        place.acl.load()
        versions = await place.ask(52)
        assert versions.ext is not None
        assert json.loads(versions.ext["allAclFileVersion"]) == {
            MAIN: {"counter": 0, "stateVersion": 0, "timestamp": 0}
        }
        shown = body_of(await place.ask(54))
        assert b"12345678" not in shown
        accounts = {each["accessKey"]: each for each in json.loads(shown)["plainAccessConfigs"]}
        assert accounts["RocketMQ"]["topicPerms"] == ["topicA=DENY", "topicB=PUB|SUB", "topicC=SUB"]
        assert json.loads(shown)["globalWhiteAddrs"] == ["10.10.103.*", "192.168.0.*"]

    play(scenario)


@pytest.mark.parametrize(("code", "expected"), [(50, 209), (51, 210), (52, 1), (53, 211), (54, 1)])
def test_a_broker_without_rules_says_so(code: int, expected: int) -> None:
    async def scenario() -> None:
        place = Place()
        place.router = Router()
        AclHandler(CONFIG, None).register(place.router)
        reply = await place.ask(code, accessKey="some-key", secretKey="long-secret", globalWhiteAddrs="*")
        assert reply.code == expected
        assert reply.remark is not None
        assert "aclEnable" in reply.remark

    play(scenario)
