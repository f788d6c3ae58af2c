"""Every request of RocketMQ 5.1.0: who serves it here, or why nobody does."""

import asyncio
from typing import Final

import pytest

from broker_py.remoting.router import Router
from broker_py.wire.unserved import OF_CLIENTS, OF_NAME_SERVERS, why_no_broker, why_no_name_server
from tests.unit.broker.peers import MemoryPeer
from tests.unit.broker.site import Site, a_command
from tests.unit.nameserver.test_server import site as name_server_site

BROKER, NAME_SERVER, CLIENT, NOBODY = "broker", "name server", "client", "nobody"
# remoting protocol/RequestCode, in the order of the numbers
REQUESTS: Final = (
    (10, "SEND_MESSAGE", BROKER),
    (11, "PULL_MESSAGE", BROKER),
    (12, "QUERY_MESSAGE", BROKER),
    (13, "QUERY_BROKER_OFFSET", NOBODY),
    (14, "QUERY_CONSUMER_OFFSET", BROKER),
    (15, "UPDATE_CONSUMER_OFFSET", BROKER),
    (17, "UPDATE_AND_CREATE_TOPIC", BROKER),
    (21, "GET_ALL_TOPIC_CONFIG", BROKER),
    (22, "GET_TOPIC_CONFIG_LIST", NOBODY),
    (23, "GET_TOPIC_NAME_LIST", NOBODY),
    (25, "UPDATE_BROKER_CONFIG", BROKER),
    (26, "GET_BROKER_CONFIG", BROKER),
    (27, "TRIGGER_DELETE_FILES", NOBODY),
    (28, "GET_BROKER_RUNTIME_INFO", BROKER),
    (29, "SEARCH_OFFSET_BY_TIMESTAMP", BROKER),
    (30, "GET_MAX_OFFSET", BROKER),
    (31, "GET_MIN_OFFSET", BROKER),
    (32, "GET_EARLIEST_MSG_STORETIME", BROKER),
    (33, "VIEW_MESSAGE_BY_ID", BROKER),
    (34, "HEART_BEAT", BROKER),
    (35, "UNREGISTER_CLIENT", BROKER),
    (36, "CONSUMER_SEND_MSG_BACK", BROKER),
    (37, "END_TRANSACTION", BROKER),
    (38, "GET_CONSUMER_LIST_BY_GROUP", BROKER),
    (39, "CHECK_TRANSACTION_STATE", CLIENT),
    (40, "NOTIFY_CONSUMER_IDS_CHANGED", CLIENT),
    (41, "LOCK_BATCH_MQ", BROKER),
    (42, "UNLOCK_BATCH_MQ", BROKER),
    (43, "GET_ALL_CONSUMER_OFFSET", BROKER),
    (45, "GET_ALL_DELAY_OFFSET", BROKER),
    (46, "CHECK_CLIENT_CONFIG", BROKER),
    (47, "GET_CLIENT_CONFIG", NAME_SERVER),
    (50, "UPDATE_AND_CREATE_ACL_CONFIG", BROKER),
    (51, "DELETE_ACL_CONFIG", BROKER),
    (52, "GET_BROKER_CLUSTER_ACL_INFO", BROKER),
    (53, "UPDATE_GLOBAL_WHITE_ADDRS_CONFIG", BROKER),
    (54, "GET_BROKER_CLUSTER_ACL_CONFIG", BROKER),
    (60, "GET_TIMER_CHECK_POINT", BROKER),
    (61, "GET_TIMER_METRICS", BROKER),
    (100, "PUT_KV_CONFIG", NAME_SERVER),
    (101, "GET_KV_CONFIG", NAME_SERVER),
    (102, "DELETE_KV_CONFIG", NAME_SERVER),
    (103, "REGISTER_BROKER", NAME_SERVER),
    (104, "UNREGISTER_BROKER", NAME_SERVER),
    (105, "GET_ROUTEINFO_BY_TOPIC", NAME_SERVER),
    (106, "GET_BROKER_CLUSTER_INFO", NAME_SERVER),
    (200, "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP", BROKER),
    (201, "GET_ALL_SUBSCRIPTIONGROUP_CONFIG", BROKER),
    (202, "GET_TOPIC_STATS_INFO", BROKER),
    (203, "GET_CONSUMER_CONNECTION_LIST", BROKER),
    (204, "GET_PRODUCER_CONNECTION_LIST", BROKER),
    (205, "WIPE_WRITE_PERM_OF_BROKER", NAME_SERVER),
    (206, "GET_ALL_TOPIC_LIST_FROM_NAMESERVER", NAME_SERVER),
    (207, "DELETE_SUBSCRIPTIONGROUP", BROKER),
    (208, "GET_CONSUME_STATS", BROKER),
    (209, "SUSPEND_CONSUMER", NOBODY),
    (210, "RESUME_CONSUMER", NOBODY),
    (211, "RESET_CONSUMER_OFFSET_IN_CONSUMER", NOBODY),
    (212, "RESET_CONSUMER_OFFSET_IN_BROKER", NOBODY),
    (213, "ADJUST_CONSUMER_THREAD_POOL", NOBODY),
    (214, "WHO_CONSUME_THE_MESSAGE", NOBODY),
    (215, "DELETE_TOPIC_IN_BROKER", BROKER),
    (216, "DELETE_TOPIC_IN_NAMESRV", NAME_SERVER),
    (217, "REGISTER_TOPIC_IN_NAMESRV", NAME_SERVER),
    (219, "GET_KVLIST_BY_NAMESPACE", NAME_SERVER),
    (220, "RESET_CONSUMER_CLIENT_OFFSET", CLIENT),
    (221, "GET_CONSUMER_STATUS_FROM_CLIENT", CLIENT),
    (222, "INVOKE_BROKER_TO_RESET_OFFSET", BROKER),
    (223, "INVOKE_BROKER_TO_GET_CONSUMER_STATUS", BROKER),
    (224, "GET_TOPICS_BY_CLUSTER", NAME_SERVER),
    (300, "QUERY_TOPIC_CONSUME_BY_WHO", BROKER),
    (301, "REGISTER_FILTER_SERVER", NOBODY),
    (302, "REGISTER_MESSAGE_FILTER_CLASS", NOBODY),
    (303, "QUERY_CONSUME_TIME_SPAN", BROKER),
    (304, "GET_SYSTEM_TOPIC_LIST_FROM_NS", NAME_SERVER),
    (305, "GET_SYSTEM_TOPIC_LIST_FROM_BROKER", BROKER),
    (306, "CLEAN_EXPIRED_CONSUMEQUEUE", BROKER),
    (307, "GET_CONSUMER_RUNNING_INFO", BROKER),
    (308, "QUERY_CORRECTION_OFFSET", BROKER),
    (309, "CONSUME_MESSAGE_DIRECTLY", BROKER),
    (310, "SEND_MESSAGE_V2", BROKER),
    (311, "GET_UNIT_TOPIC_LIST", NAME_SERVER),
    (312, "GET_HAS_UNIT_SUB_TOPIC_LIST", NAME_SERVER),
    (313, "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST", NAME_SERVER),
    (314, "CLONE_GROUP_OFFSET", BROKER),
    (315, "VIEW_BROKER_STATS_DATA", BROKER),
    (316, "CLEAN_UNUSED_TOPIC", BROKER),
    (317, "GET_BROKER_CONSUME_STATS", BROKER),
    (318, "UPDATE_NAMESRV_CONFIG", NAME_SERVER),
    (319, "GET_NAMESRV_CONFIG", NAME_SERVER),
    (320, "SEND_BATCH_MESSAGE", BROKER),
    (321, "QUERY_CONSUME_QUEUE", BROKER),
    (322, "QUERY_DATA_VERSION", NAME_SERVER),
    (323, "RESUME_CHECK_HALF_MESSAGE", BROKER),
    (324, "SEND_REPLY_MESSAGE", BROKER),
    (325, "SEND_REPLY_MESSAGE_V2", BROKER),
    (326, "PUSH_REPLY_MESSAGE_TO_CLIENT", CLIENT),
    (327, "ADD_WRITE_PERM_OF_BROKER", NAME_SERVER),
    (328, "GET_ALL_PRODUCER_INFO", BROKER),
    (329, "DELETE_EXPIRED_COMMITLOG", BROKER),
    (343, "QUERY_TOPICS_BY_CONSUMER", BROKER),
    (345, "QUERY_SUBSCRIPTION_BY_CONSUMER", BROKER),
    (351, "GET_TOPIC_CONFIG", BROKER),
    (352, "GET_SUBSCRIPTIONGROUP_CONFIG", BROKER),
    (353, "UPDATE_AND_GET_GROUP_FORBIDDEN", BROKER),
    (361, "LITE_PULL_MESSAGE", BROKER),
    (400, "QUERY_ASSIGNMENT", BROKER),
    (401, "SET_MESSAGE_REQUEST_MODE", BROKER),
    (402, "GET_ALL_MESSAGE_REQUEST_MODE", BROKER),
    (513, "UPDATE_AND_CREATE_STATIC_TOPIC", NOBODY),
    (901, "GET_BROKER_MEMBER_GROUP", NAME_SERVER),
    (902, "ADD_BROKER", NOBODY),
    (903, "REMOVE_BROKER", NOBODY),
    (904, "BROKER_HEARTBEAT", NAME_SERVER),
    (905, "NOTIFY_MIN_BROKER_ID_CHANGE", NOBODY),
    (906, "EXCHANGE_BROKER_HA_INFO", NOBODY),
    (907, "GET_BROKER_HA_STATUS", BROKER),
    (908, "RESET_MASTER_FLUSH_OFFSET", BROKER),
    (1001, "CONTROLLER_ALTER_SYNC_STATE_SET", NOBODY),
    (1002, "CONTROLLER_ELECT_MASTER", NOBODY),
    (1003, "CONTROLLER_REGISTER_BROKER", NOBODY),
    (1004, "CONTROLLER_GET_REPLICA_INFO", NOBODY),
    (1005, "CONTROLLER_GET_METADATA_INFO", NOBODY),
    (1006, "CONTROLLER_GET_SYNC_STATE_DATA", NOBODY),
    (1007, "GET_BROKER_EPOCH_CACHE", NOBODY),
    (1008, "NOTIFY_BROKER_ROLE_CHANGED", NOBODY),
    (1009, "UPDATE_CONTROLLER_CONFIG", NOBODY),
    (1010, "GET_CONTROLLER_CONFIG", NOBODY),
    (1011, "CLEAN_BROKER_DATA", NOBODY),
    (200050, "POP_MESSAGE", BROKER),
    (200051, "ACK_MESSAGE", BROKER),
    (200052, "PEEK_MESSAGE", BROKER),
    (200053, "CHANGE_MESSAGE_INVISIBLETIME", BROKER),
    (200054, "NOTIFICATION", BROKER),
    (200055, "POLLING_INFO", BROKER),
)

ACL_CODES: Final = {50, 51, 52, 53, 54}  # of a handler that needs rules
GENERAL: Final = " request type {} not supported"


@pytest.mark.parametrize(("code", "name", "who"), REQUESTS)
def test_a_request_is_served_by_a_broker_or_refused_with_a_reason(code: int, name: str, who: str) -> None:
    site = Site()
    if BROKER in who:
        assert code in ACL_CODES or code in site.router.codes(), name
        return
    assert code not in site.router.codes(), name
    why = why_no_broker(code)
    assert len(why) > 10, name
    peer = MemoryPeer()
    peer_router = Router(why_no_broker)
    peer_router.dispatch(a_command(code), peer)
    assert [reply.remark for _, reply in peer.replies] == [GENERAL.format(code) + why]
    assert peer.codes == [3]


def test_a_name_server_serves_its_requests_and_says_why_not_others() -> None:
    async def ask_all() -> None:
        async with name_server_site() as where:
            for code, name, who in REQUESTS:
                reply = await where.ask(code)
                refused = GENERAL.format(code)
                if NAME_SERVER in who:
                    assert not (reply.remark or "").startswith(refused), name
                else:
                    assert reply.code == 3, name
                    assert reply.remark == refused + why_no_name_server(code), name
                    assert len(why_no_name_server(code)) > 10, name

    asyncio.run(ask_all())


def test_the_lists_are_those_of_the_table() -> None:
    assert {code for code, _, who in REQUESTS if NAME_SERVER in who} == OF_NAME_SERVERS
    assert {code for code, _, who in REQUESTS if CLIENT in who} >= OF_CLIENTS
    assert len({code for code, _, _ in REQUESTS}) == 135


def test_a_code_that_nobody_knows_has_no_reason() -> None:
    assert why_no_broker(4711) == why_no_name_server(4711) == ""
