"""Requests of brokers: who they are, that they live, and that they leave."""

import logging
from collections.abc import Callable

from broker_py.errors import RequestRefused
from broker_py.model.data_version import DataVersion
from broker_py.nameserver.config import Settings
from broker_py.nameserver.kv_config import ORDER_TOPIC_CONFIG, KvConfig
from broker_py.nameserver.route_table import BrokerIdentity, Departed, LowestIdChange, Registration, RouteTable
from broker_py.remoting.peer import Peer
from broker_py.remoting.router import Router
from broker_py.seams import Clock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply
from broker_py.wire.fastjson import dumps, loads_object
from broker_py.wire.header import encode_header
from broker_py.wire.headers.nameserver import (
    BrokerHeartbeatRequest,
    BrokerRequest,
    MemberGroupRequest,
    QueryDataVersionReply,
    RegisterBrokerReply,
    RegisterBrokerRequest,
)
from broker_py.wire.register_body import RegisterBody, body_crc32, decode_register_body

log = logging.getLogger(__name__)


class RegistrationHandlers:
    """Serves 103, 104, 322, 901 and 904. `on_lowest_id` hears of a broker name whose lowest id is another one now."""

    def __init__(
        self,
        table: RouteTable,
        kv: KvConfig,
        settings: Settings,
        clock: Clock,
        on_lowest_id: Callable[[LowestIdChange], None],
    ) -> None:
        self._table = table
        self._kv = kv
        self._settings = settings
        self._clock = clock
        self._on_lowest_id = on_lowest_id

    def install(self, router: Router) -> None:
        """Serve the requests of `router`."""
        router.on(RequestCode.REGISTER_BROKER, RegisterBrokerRequest, self._register)
        router.on(RequestCode.UNREGISTER_BROKER, BrokerRequest, self._unregister)
        router.on(RequestCode.QUERY_DATA_VERSION, BrokerRequest, self._query_data_version)
        router.on(RequestCode.GET_BROKER_MEMBER_GROUP, MemberGroupRequest, self._member_group)
        router.on(RequestCode.BROKER_HEARTBEAT, BrokerHeartbeatRequest, self._heartbeat)

    def _register(self, header: RegisterBrokerRequest, command: Command, peer: Peer) -> Reply:
        body = _body_of(header, command)
        registration = Registration(
            broker=BrokerIdentity(
                cluster=header.cluster_name,
                broker_name=header.broker_name,
                broker_id=header.broker_id,
                address=header.broker_addr,
            ),
            ha_address=header.ha_server_addr,
            body=body,
            timeout_ms=header.heartbeat_timeout_millis,
            enable_acting_master=header.enable_acting_master,
            zone_name=header.zone_name,
            peer=peer,
        )
        outcome = self._table.register(registration, self._clock.monotonic())
        if outcome.is_new:
            count = len(body.topics)
            log.info(
                "%s (id %d) registered from %s with %d topics",
                header.broker_name,
                header.broker_id,
                header.broker_addr,
                count,
            )
        if outcome.lowest_id_change is not None:
            self._on_lowest_id(outcome.lowest_id_change)
        ext = encode_header(RegisterBrokerReply(ha_server_addr=outcome.ha_address, master_addr=outcome.master_address))
        return Reply(ext=ext, body=self._order_topics())

    def _order_topics(self) -> bytes:
        if not self._settings.current().return_order_topic_config_to_broker:
            return b""
        values = self._kv.values(ORDER_TOPIC_CONFIG)
        return b"" if values is None else dumps({"table": values})

    def _unregister(self, header: BrokerRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        broker = BrokerIdentity(
            cluster=header.cluster_name,
            broker_name=header.broker_name,
            broker_id=header.broker_id,
            address=header.broker_addr,
        )
        self.note_departed(self._table.unregister((broker,)), "it unregistered")
        return Reply()

    def note_departed(self, departed: list[Departed], why: str) -> None:
        """Log that brokers are gone, and tell the others of their names what that means for them."""
        for gone in departed:
            log.info(
                "%s (id %d) at %s left: %s", gone.broker.broker_name, gone.broker.broker_id, gone.broker.address, why
            )
            if gone.lowest_id_change is not None:
                self._on_lowest_id(gone.lowest_id_change)

    def _query_data_version(self, header: BrokerRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        known = self._table.data_version(header.cluster_name, header.broker_name, header.broker_addr)
        changed = known is None or known != DataVersion.from_json(loads_object(command.body))
        self._table.touch(header.cluster_name, header.broker_name, header.broker_addr, self._clock.monotonic())
        ext = encode_header(QueryDataVersionReply(changed=changed))
        return Reply(ext=ext, body=b"" if known is None else dumps(known.to_json()))

    def _member_group(self, header: MemberGroupRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        group = self._table.member_group(header.cluster_name, header.broker_name)
        addresses = {str(broker_id): address for broker_id, address in group.broker_addrs.items()}
        members = {"brokerAddrs": addresses, "brokerName": group.broker_name, "cluster": group.cluster}
        return Reply(body=dumps({"brokerMemberGroup": members}))

    def _heartbeat(self, header: BrokerHeartbeatRequest, command: Command, peer: Peer) -> Reply:  # noqa: ARG002
        self._table.touch(header.cluster_name, header.broker_name, header.broker_addr, self._clock.monotonic())
        return Reply()


def _body_of(header: RegisterBrokerRequest, command: Command) -> RegisterBody:
    if header.body_crc32 and header.body_crc32 != body_crc32(command.body):
        raise RequestRefused(ResponseCode.SYSTEM_ERROR, "crc32 not match")
    return decode_register_body(command.body, compressed=header.compressed, version=command.version)
