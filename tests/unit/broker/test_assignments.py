"""Which queues a client gets from its broker, and how groups come to pop."""

import asyncio
from typing import Any

import pytest

from broker_py.broker.config import MessageRequestMode
from broker_py.broker.pop.assignment import STRATEGIES, assign, assign_pops
from broker_py.model.message_queue import MessageQueue
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.fastjson import loads_object
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, body_of

QUEUES = [MessageQueue("T", name, number) for name in ("broker-a", "broker-b") for number in range(4)]
POP = {"topic": "T", "consumerGroup": "g", "mode": "POP", "popShareQueueNum": 0}


def a_query(**fields: Any) -> dict[str, Any]:
    return {
        "topic": "T",
        "consumerGroup": "g",
        "clientId": "c1",
        "strategyName": "AVG",
        "messageModel": "CLUSTERING",
        **fields,
    }


def assigned(site: Site, **fields: Any) -> list[tuple[str, int, str]] | None:
    async def scenario() -> dict[Any, Any]:
        return loads_object(body_of(await site.ask_later(RequestCode.QUERY_ASSIGNMENT, {}, a_query(**fields))))

    found = asyncio.run(scenario()).get("messageQueueAssignments")
    if found is None:
        return None
    return [(each["messageQueue"]["brokerName"], each["messageQueue"]["queueId"], each["mode"]) for each in found]


def a_site(**settings: Any) -> Site:
    site = Site(**settings)
    site.cluster_queues["T"] = list(QUEUES)
    for client in ("c1", "c2", "c3"):
        site.heartbeat(MemoryPeer(), "g", client, T="*")
    return site


def test_a_group_pulls_its_share_unless_it_was_said_to_pop() -> None:
    site = a_site()
    assert assigned(site, clientId="c3") == [("broker-b", 2, "PULL"), ("broker-b", 3, "PULL")]
    assert assigned(site, strategyName="AVG_BY_CIRCLE", clientId="c3") == [
        ("broker-a", 2, "PULL"),
        ("broker-b", 1, "PULL"),
    ]
    assert site.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, POP).code == 0
    assert assigned(site) == [("broker-a", -1, "POP"), ("broker-b", -1, "POP")]


def test_the_mode_is_kept_in_javas_file_and_told_to_slaves() -> None:
    site = a_site()
    site.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, {**POP, "popShareQueueNum": 1})
    site.store.close()
    again = a_site(files=site.files)
    assert assigned(again, clientId="c1") == [("broker-a", number, "POP") for number in range(4)] + [
        ("broker-b", number, "POP") for number in range(2)
    ]
    content = site.json(RequestCode.GET_ALL_MESSAGE_REQUEST_MODE)
    assert content == {"messageRequestModeMap": {"T": {"g": {**POP, "popShareQueueNum": 1}}}}


def test_the_default_mode_is_a_property_but_retry_topics_are_pulled() -> None:
    site = a_site(default_message_request_mode=MessageRequestMode.POP)
    site.cluster_queues["%RETRY%g"] = [MessageQueue("%RETRY%g", "broker-a", 0)]
    assert assigned(site) == [("broker-a", -1, "POP"), ("broker-b", -1, "POP")]
    assert assigned(site, topic="%RETRY%g") == [("broker-a", 0, "PULL")]
    reply = site.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, {**POP, "topic": "%RETRY%g"})
    assert (reply.code, reply.remark) == (ResponseCode.NO_PERMISSION, "retry topic is not allowed to set mode")


@pytest.mark.parametrize("fields", [{"topic": "none"}, {"strategyName": "X"}, {"consumerGroup": "none"}])
def test_a_client_keeps_what_it_has_where_its_queues_can_not_be_known(fields: dict[str, Any]) -> None:
    assert assigned(a_site(), **fields) is None


def test_all_queues_are_broadcast_to_each_and_given_to_each_without_the_balancer() -> None:
    assert len(assigned(a_site(), messageModel="BROADCASTING") or []) == 8
    assert len(assigned(a_site(server_load_balancer_enable=False)) or []) == 8


def test_more_clients_than_queues_share_them_when_they_pop() -> None:
    clients = [f"c{number}" for number in range(10)]
    shares = [assign_pops(QUEUES[:3], clients, client, STRATEGIES["AVG"], 2) for client in clients]
    assert [[queue.queue_id for queue in share] for share in shares] == [[number % 3] for number in range(10)]
    assert assign_pops(QUEUES, clients, "c99", STRATEGIES["AVG"], 2) == []
    assert assign(QUEUES, clients, "c99", STRATEGIES["AVG"]) == []


def test_a_mode_that_is_none_is_refused() -> None:
    site = a_site()
    assert site.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, {**POP, "mode": "X"}).code == ResponseCode.SYSTEM_ERROR
    assert site.ask(RequestCode.SET_MESSAGE_REQUEST_MODE, {}, {"mode": "POP"}).code == ResponseCode.SYSTEM_ERROR
