"""Requests 43, 45, 200, 201, 207, 352, 353 and 402."""

import errno
from typing import Any

import pytest

from broker_py.broker.config import BrokerRole
from broker_py.wire.codes import RequestCode, ResponseCode
from tests.unit.broker.site import Site


def put(site: Site, body: Any) -> int:
    return site.ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, body).code


def test_a_group_is_made_as_asked_and_shown() -> None:
    site = Site()
    assert put(site, {"groupName": "g", "retryMaxTimes": 3, "consumeEnable": False}) == 0
    shown = site.json(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, {"group": "g"})
    assert (shown["groupName"], shown["retryMaxTimes"], shown["consumeEnable"]) == ("g", 3, False)
    assert shown["retryQueueNums"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        [],
        {},
        {"groupName": " "},
        {"groupName": "a b"},
        {"groupName": 5},
        {"groupName": "g", "retryMaxTimes": "often"},
        {"groupName": "g", "retryQueueNums": -1},
        {"groupName": "g", "retryQueueNums": 1 << 30},
    ],
)
def test_a_group_that_can_not_be_is_not_made(body: Any) -> None:
    site = Site()
    version = site.groups.version
    assert put(site, body) == ResponseCode.SYSTEM_ERROR
    assert site.groups.version == version


def test_a_group_that_can_not_be_written_down_is_not_made() -> None:
    site = Site()
    site.files.fail_writes = errno.ENOSPC
    assert put(site, {"groupName": "g"}) == ResponseCode.SYSTEM_ERROR
    assert site.groups.get("g") is None


def test_a_deleted_group_keeps_its_offsets_unless_they_are_to_go_too() -> None:
    site = Site()
    for group in ("g", "h"):
        site.groups.require(group)
        site.topics.create_if_missing(f"%RETRY%{group}", 1)
        site.offsets.commit(group, "T", 0, 1)
    assert site.ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "g"}).code == 0
    assert site.ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "h", "cleanOffset": True}).code == 0
    assert (site.groups.get("g"), site.groups.get("h")) == (None, None)
    assert site.offsets.groups_of("T") == {"g"}
    assert "%RETRY%g" in site.topics
    assert "%RETRY%h" not in site.topics


def test_a_slave_changes_no_groups() -> None:
    slave = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    assert put(slave, {"groupName": "g"}) == ResponseCode.SYSTEM_ERROR
    assert slave.ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "g"}).code == ResponseCode.SYSTEM_ERROR


def test_an_unknown_group_has_no_settings_and_asking_makes_none() -> None:
    site = Site()
    reply = site.ask(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, {"group": "g"})
    assert (reply.code, reply.remark) == (1, "No group in this broker. group: g")
    assert site.groups.get("g") is None


def test_slaves_get_groups_and_offsets() -> None:
    site = Site()
    site.groups.require("g")
    site.offsets.commit("g", "T", 2, 5)
    assert "g" in site.json(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG)["subscriptionGroupTable"]
    assert site.json(RequestCode.GET_ALL_CONSUMER_OFFSET)["offsetTable"] == {"T@g": {"2": 5}}


def forbid(site: Site, readable: bool | None = None, topic: str = "T") -> Any:
    ext = {"group": "g", "topic": topic} | ({} if readable is None else {"readable": str(readable).lower()})
    return site.json(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, ext)


def test_a_group_can_be_forbidden_to_read_a_topic() -> None:
    site = Site()
    put(site, {"groupName": "g"})
    site.topics.create_if_missing("U", 1)
    assert forbid(site) == {"group": "g", "topic": "T", "readable": True}
    assert forbid(site, False) == {"group": "g", "topic": "T", "readable": False}
    assert forbid(site, False, "U")["readable"] is False
    assert site.groups.to_json()["forbiddenTable"] == {"g": {"T": 4, "U": 4}}
    site.store.close()
    again = Site(site.files)
    assert forbid(again)["readable"] is False
    assert forbid(again, True)["readable"] is True
    assert forbid(again, topic="U")["readable"] is False  # Java forgets about the group's other topics
    again.ask(RequestCode.DELETE_SUBSCRIPTIONGROUP, {"groupName": "g"})
    assert again.groups.to_json()["forbiddenTable"] == {}


@pytest.mark.parametrize(("group", "topic"), [("unknown", "T"), ("g", "unknown")])
def test_nothing_is_forbidden_of_what_is_not_there(group: str, topic: str) -> None:
    site = Site()
    put(site, {"groupName": "g"})
    ext = {"group": group, "topic": topic, "readable": "false"}
    assert site.ask(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, ext).code != 0
    assert site.groups.to_json()["forbiddenTable"] == {}


def test_a_slave_forbids_nothing() -> None:
    site = Site(broker_role=BrokerRole.SLAVE, broker_id=1)
    ext = {"group": "g", "topic": "T", "readable": "false"}
    reply = site.ask(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, ext)
    assert (reply.code, "from slave broker" in (reply.remark or "")) == (ResponseCode.SYSTEM_ERROR, True)
