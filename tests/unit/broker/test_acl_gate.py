"""Which request passes for whom: every request code that a broker serves, from every kind of sender."""

import json
import logging
from typing import Any, Final

import pytest

from broker_py.broker.acl.gate import Gate
from broker_py.broker.acl.requests import CLIENT_REQUESTS
from broker_py.broker.acl.rules import Rules, parse_rules
from broker_py.errors import RequestRefused
from broker_py.remoting.router import Router
from broker_py.wire.command import Command, Reply
from broker_py.wire.signing import ACCESS_KEY, SIGNATURE, Credentials, sign
from tests.support.clock import ManualClock
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_command

USER: Final = Credentials("user-key", "user-secret")
NOBODY: Final = Credentials("nobody-key", "nobody-secret")
ADMIN: Final = Credentials("admin-key", "admin-secret")
HOME: Final = Credentials("home-key", "home-secret")

RULES: Final[dict[str, Any]] = {
    "globalWhiteRemoteAddresses": ["192.168.9.*"],
    "accounts": [
        {
            "accessKey": "user-key",
            "secretKey": "user-secret",
            "topicPerms": ["T=PUB|SUB", "read=SUB", "write=PUB", "no=DENY"],
            "groupPerms": ["g=SUB"],
        },
        {"accessKey": "nobody-key", "secretKey": "nobody-secret"},
        {"accessKey": "admin-key", "secretKey": "admin-secret", "admin": True},
        {"accessKey": "home-key", "secretKey": "home-secret", "whiteRemoteAddress": "192.168.8.*"},
    ],
}

G_T: Final = {"consumerGroup": "g", "topic": "T"}
QUEUE: Final = {"topic": "T", "brokerName": "b", "queueId": 0}
# Request code → (ext fields, body) of one that the user may send, and that who has no permission may not.
ALLOWED: Final[dict[int, tuple[dict[str, Any], Any]]] = {
    10: ({"topic": "T", "producerGroup": "pg"}, b"hello"),
    310: ({"b": "T", "a": "pg"}, b"hello"),
    320: ({"b": "T", "a": "pg"}, b"hello"),
    324: ({"topic": "T"}, b"hello"),
    325: ({"b": "T"}, b"hello"),
    36: ({"group": "g", "originTopic": "T"}, b""),
    37: ({"topic": "T"}, b""),
    11: (G_T, b""),
    361: (G_T, b""),
    12: ({"topic": "T", "key": "k"}, b""),
    14: (G_T, b""),
    15: (G_T, b""),
    29: ({"topic": "T"}, b""),
    30: ({"topic": "T"}, b""),
    31: ({"topic": "T"}, b""),
    32: ({"topic": "T"}, b""),
    34: ({}, {"consumerDataSet": [{"groupName": "g", "subscriptionDataSet": [{"topic": "T"}, {"topic": "%RETRY%g"}]}]}),
    35: ({"consumerGroup": "g"}, b""),
    38: ({"consumerGroup": "g"}, b""),
    41: ({}, {"consumerGroup": "g", "mqSet": [QUEUE]}),
    42: ({}, {"consumerGroup": "g", "mqSet": [QUEUE]}),
    46: ({}, {"group": "g", "subscriptionData": {"topic": "T"}}),
    400: ({}, {"consumerGroup": "g", "topic": "T"}),
    200_050: (G_T, b""),
    200_051: ({"consumerGroup": "g", "topic": "%RETRY%g_T"}, b""),
    200_052: (G_T, b""),
    200_053: (G_T, b""),
    200_054: (G_T, b""),
    200_055: (G_T, b""),
    200_151: ({}, {"consumerGroup": "g", "acks": [{"topic": "T"}, {"topic": "%RETRY%g_T"}]}),
}


def a_gate(clock: ManualClock | None = None) -> Gate:
    rules = Rules([parse_rules(RULES, "plain_acl.yml")])
    return Gate(lambda: rules, clock or ManualClock())


def refusal(command: Command, host: str = "10.0.0.9") -> str | None:
    """Why a request is refused, None when it passes."""
    try:
        a_gate().check(command, MemoryPeer(host))
    except RequestRefused as error:
        return f"{error.code}: {error.remark}".removeprefix("1: org.apache.rocketmq.acl.common.AclException: ")
    return None


def signed(code: int, ext: dict[str, Any], body: Any, who: Credentials) -> Command:
    command = a_command(code, ext, body)
    sign(command, who)
    return command


def served_codes() -> list[int]:
    """All codes that a broker has a handler for, and those of clients that it has none for yet."""
    return sorted({*Site().router._routes, *CLIENT_REQUESTS, 50, 51, 52, 53, 54})


@pytest.mark.parametrize("code", served_codes())
def test_who_may_send_what(code: int) -> None:
    client = code in ALLOWED
    ext, body = ALLOWED.get(code, ({"topic": "T", "group": "g"}, b""))

    assert refusal(a_command(code, ext, body)) == "No accessKey is configured"
    wrong = Credentials("user-key", "another-secret")
    assert refusal(signed(code, ext, body, wrong)) == "Check signature failed for accessKey=user-key"
    assert refusal(signed(code, ext, body, Credentials("what-key", "s"))) == "No acl config for what-key"
    tampered = signed(code, ext, body, ADMIN)
    tampered.body += b" "
    assert refusal(tampered) == "Check signature failed for accessKey=admin-key"
    tampered = signed(code, ext, body, ADMIN)
    tampered.ext["topic"] = "another"
    assert refusal(tampered) == "Check signature failed for accessKey=admin-key"
    unsigned = a_command(code, {**ext, ACCESS_KEY: "admin-key"}, body)
    assert refusal(unsigned) == "Check signature failed for accessKey=admin-key"

    assert refusal(signed(code, ext, body, ADMIN)) is None
    assert refusal(a_command(code, ext, body), "192.168.9.7") is None
    home = a_command(code, {**ext, ACCESS_KEY: "home-key"}, body)
    assert refusal(home, "192.168.8.7") is None
    assert refusal(home) == "Check signature failed for accessKey=home-key"

    if client:
        assert refusal(signed(code, ext, body, USER)) is None
        denied = refusal(signed(code, ext, body, NOBODY))
        assert denied is not None
        assert denied.startswith("No default permission for ")
    else:
        assert refusal(signed(code, ext, body, USER)) == (
            f"Need admin permission for request code={code}, but accessKey=user-key is not"
        )


def test_every_request_of_clients_is_in_the_table_above() -> None:
    assert ALLOWED.keys() == CLIENT_REQUESTS.keys()


@pytest.mark.parametrize(
    ("code", "ext", "body", "missing"),
    [
        (10, {"topic": "read"}, b"", "topic:read"),
        (10, {"topic": "no"}, b"", "topic:no"),
        (10, {"topic": "write"}, b"", None),
        (10, {"topic": "T", "b": "no"}, b"", "topic:no"),
        (310, {"b": "T", "topic": "no"}, b"", "topic:no"),
        (310, {"b": "%RETRY%h", "a": "g"}, b"", "group:h"),
        (310, {"b": "%RETRY%g", "a": "h"}, b"", "group:h"),
        (310, {"b": "%RETRY%g", "a": "g"}, b"", None),
        (310, {"b": "RMQ_SYS_TRACE_TOPIC"}, b"", None),
        (11, {"topic": "RMQ_SYS_TRACE_TOPIC", "consumerGroup": "g"}, b"", "topic:RMQ_SYS_TRACE_TOPIC"),
        (325, {"b": "DefaultCluster_REPLY_TOPIC"}, b"", None),
        (325, {"b": "other"}, b"", "topic:other"),
        (11, {"topic": "T", "consumerGroup": "h"}, b"", "group:h"),
        (11, {"topic": "write", "consumerGroup": "g"}, b"", "topic:write"),
        (11, {"topic": "%RETRY%g", "consumerGroup": "g"}, b"", None),
        (200_051, {"topic": "%RETRY%h_T", "consumerGroup": "g"}, b"", "group:h_T"),
        (30, {"topic": "write"}, b"", None),
        (30, {"topic": "read"}, b"", None),
        (30, {"topic": "no"}, b"", "topic:no"),
        (36, {"group": "g", "originTopic": "write"}, b"", "topic:write"),
        (34, {}, {"consumerDataSet": [{"groupName": "h"}]}, "group:h"),
        (34, {}, {"producerDataSet": [{"groupName": "pg"}]}, None),
    ],
)
def test_a_permission_is_asked_for_each_topic_and_group(
    code: int, ext: dict[str, str], body: Any, missing: str | None
) -> None:
    expected = None if missing is None else f"No default permission for {missing}"
    assert refusal(signed(code, ext, body, USER)) == expected


def test_a_body_that_can_not_be_read_is_refused() -> None:
    reason = refusal(signed(34, {}, b"{not json", USER))
    assert reason is not None
    assert reason.startswith("what the request is about can't be read: ")


def test_a_signature_that_is_no_text_is_refused() -> None:
    command = signed(10, {"topic": "T"}, b"", USER)
    command.ext[SIGNATURE] = "\ud800é"
    assert refusal(command) == "Check signature failed for accessKey=user-key"


def test_an_admin_with_permissions_of_its_own_has_those_for_messages() -> None:
    account = {"accessKey": "chief-key", "secretKey": "chief-secret", "admin": True, "topicPerms": ["T=SUB"]}
    rules = Rules([parse_rules({"accounts": [account]}, "f")])
    gate = Gate(lambda: rules, ManualClock())
    chief = Credentials("chief-key", "chief-secret")
    gate.check(signed(17, {"topic": "U"}, b"", chief), MemoryPeer())
    with pytest.raises(RequestRefused, match="topic:T"):
        gate.check(signed(10, {"topic": "T"}, b"", chief), MemoryPeer())


def test_refusals_leave_a_line_a_second_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    gate = a_gate(clock)
    with caplog.at_level(logging.INFO):
        for _ in range(100):
            with pytest.raises(RequestRefused):
                gate.check(a_command(10, {"topic": "T", ACCESS_KEY: "user-key"}), MemoryPeer())
        clock.advance(1001)
        with pytest.raises(RequestRefused):
            gate.check(a_command(10, {"topic": "T"}), MemoryPeer())
    assert len(caplog.records) == 2
    assert "99 more were refused before" in caplog.text
    assert "user-secret" not in caplog.text


def test_a_router_asks_the_guard_only_of_what_somebody_serves() -> None:
    router, peer = Router(), MemoryPeer()
    served: list[int] = []

    def handle(command: Command, _peer: Any) -> Reply:
        served.append(command.code)
        return Reply()

    router.on_command(17, handle)
    router.guard(a_gate().check)
    for command in (a_command(17), a_command(4711), signed(17, {}, b"", ADMIN)):
        router.dispatch(command, peer)
    assert peer.codes == [1, 3, 0]
    assert served == [17]


def test_a_million_groups_in_a_heartbeat_are_not_looked_at() -> None:
    many = json.dumps({"consumerDataSet": [{"groupName": f"g{number}"} for number in range(30_000)]}).encode()
    reason = refusal(signed(34, {}, many, USER))
    assert reason is not None
    assert "more than 20000" in reason
