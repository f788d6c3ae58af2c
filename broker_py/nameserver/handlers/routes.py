"""Requests of clients and tools about brokers and topics."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.model.route import TopicRoute
from broker_py.nameserver.config import Settings
from broker_py.nameserver.kv_config import ORDER_TOPIC_CONFIG, KvConfig
from broker_py.nameserver.route_table import RouteTable
from broker_py.nameserver.route_views import nearby, with_acting_masters
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.header import encode_header
from broker_py.wire.headers.nameserver import (
    AddWritePermReply,
    BrokerNameRequest,
    ClusterRequest,
    DeleteTopicRequest,
    RegisterTopicRequest,
    RouteRequest,
    WipeWritePermReply,
)

log = logging.getLogger(__name__)

FAQ: Final = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
# common sysflag/TopicSysFlag
_UNIT: Final = 1
_UNIT_SUB: Final = 2


class RouteHandlers:
    """Serves 105, 106, 205, 206, 216, 217, 224, 304, 311, 312, 313 and 327."""

    def __init__(self, table: RouteTable, kv: KvConfig, settings: Settings, clock: Clock) -> None:
        self._table = table
        self._kv = kv
        self._settings = settings
        self._clock = clock
        self._started = clock.monotonic()

    def install(self, router: Router) -> None:
        """Serve the requests of `router`."""
        router.on(RequestCode.GET_ROUTEINFO_BY_TOPIC, RouteRequest, self._route)
        router.on_command(RequestCode.GET_BROKER_CLUSTER_INFO, self._cluster_info)
        router.on(RequestCode.WIPE_WRITE_PERM_OF_BROKER, BrokerNameRequest, self._wipe_write_perm)
        router.on(RequestCode.ADD_WRITE_PERM_OF_BROKER, BrokerNameRequest, self._add_write_perm)
        router.on_command(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER, self._all_topics)
        router.on(RequestCode.GET_TOPICS_BY_CLUSTER, ClusterRequest, self._topics_by_cluster)
        router.on_command(RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS, self._system_topics)
        self._on_flag(router, RequestCode.GET_UNIT_TOPIC_LIST, lambda flag: flag & _UNIT != 0)
        self._on_flag(router, RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST, lambda flag: flag & _UNIT_SUB != 0)
        self._on_flag(
            router,
            RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST,
            lambda flag: flag & (_UNIT_SUB | _UNIT) == _UNIT_SUB,
        )
        router.on(RequestCode.DELETE_TOPIC_IN_NAMESRV, DeleteTopicRequest, self._delete_topic)
        router.on(RequestCode.REGISTER_TOPIC_IN_NAMESRV, RegisterTopicRequest, self._register_topic)

    def _route(self, header: RouteRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        settings = self._settings.current()
        waited = self._clock.monotonic() - self._started
        if settings.need_wait_for_service and waited < settings.wait_seconds_for_service:
            raise RequestRefused(ResponseCode.SYSTEM_ERROR, "name server not ready")
        route = self._table.route(header.topic)
        if route is None:
            remark = f"No topic route info in name server for the topic: {header.topic}{FAQ}"
            raise RequestRefused(ResponseCode.TOPIC_NOT_EXIST, remark)
        if settings.support_acting_master:
            route = with_acting_masters(header.topic, route)
        if settings.order_message_enable:
            route = replace(route, order_topic_conf=self._kv.get(ORDER_TOPIC_CONFIG, header.topic))
        if header.zone_mode and header.zone_name:
            route = nearby(route, header.zone_name)
        # Every known client reads quoted keys, those of 4.9.4 and later, and Go's, nothing else.
        return Reply(body=dumps(route.to_json()))

    def _cluster_info(self, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        return Reply(body=dumps(self._table.cluster_info().to_json()))

    def _wipe_write_perm(self, header: BrokerNameRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        count = self._table.queues.wipe_write_perm(header.broker_name)
        log.info("%s took write permission from the %d topics of %s", peer.name, count, header.broker_name)
        return Reply(ext=encode_header(WipeWritePermReply(wipe_topic_count=count)))

    def _add_write_perm(self, header: BrokerNameRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        count = self._table.queues.add_write_perm(header.broker_name)
        log.info("%s gave write permission to the %d topics of %s", peer.name, count, header.broker_name)
        return Reply(ext=encode_header(AddWritePermReply(add_topic_count=count)))

    def _all_topics(self, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        _refuse_unless(self._settings.current().enable_all_topic_list)
        return _topic_list(self._table.queues.topics())

    def _topics_by_cluster(self, header: ClusterRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        _refuse_unless(self._settings.current().enable_topic_list)
        return _topic_list(self._table.queues.topics_on(self._table.names_in(header.cluster)))

    def _system_topics(self, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        """Each cluster and each broker name is a topic of its own; one broker's address tells where to ask for more."""
        info = self._table.cluster_info()
        names = [name for cluster, brokers in info.clusters.items() for name in (cluster, *brokers)]
        address = next((broker.any_address for broker in info.brokers.values()), None)
        return _topic_list(names, address)

    def _on_flag(self, router: Router, code: int, wanted: Callable[[int], bool]) -> None:
        def handle(command: Command, peer: Peer) -> Reply:  # noqa: ARG001
            _refuse_unless(self._settings.current().enable_topic_list)
            return _topic_list(self._table.queues.topics_flagged(wanted))

        router.on_command(code, handle)

    def _delete_topic(self, header: DeleteTopicRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        self._table.delete_topic(header.topic, header.cluster_name)
        log.info("%s deleted topic %s of %s", peer.name, header.topic, header.cluster_name or "all clusters")
        return Reply()

    def _register_topic(self, header: RegisterTopicRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        self._table.register_topic(header.topic, TopicRoute.from_json(loads_object(command.body)).queue_datas)
        return Reply()


def _refuse_unless(enabled: bool) -> None:
    if not enabled:
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, "disable")


def _topic_list(topics: list[str], address: str | None = None) -> Reply:
    fields: dict[str, object] = {} if address is None else {"brokerAddr": address}
    return Reply(body=dumps(fields | {"topicList": topics}))
