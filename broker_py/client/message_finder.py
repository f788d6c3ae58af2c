"""Finding single messages: by their keys, or by an id (client impl/MQAdminImpl)."""

from typing import Final

from broker_py.client.messages import ReceivedMessage, decode_messages
from broker_py.client.queue_reader import TIMEOUT_SECONDS
from broker_py.client.routes import Routes
from broker_py.message.ids import decode_offset_message_id, unpack_host
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.pull import QueryMessageRequest, ViewMessageRequest

MAX_FOUND: Final = 64
_FOREVER_MS: Final = (1 << 63) - 1


class MessageFinder:
    """Requests to whichever brokers have the message; each raises Unreachable or RequestFailed."""

    def __init__(self, remoting: RemotingClient, routes: Routes) -> None:
        self._remoting = remoting
        self._routes = routes

    async def by_key(self, topic: str, key: str, *, unique: bool = False) -> list[ReceivedMessage]:
        """Return the messages of a topic that have a key, the newest 64 of each broker name, by their store time.

        `unique`: the key is the unique id that the producer gave, of which there is more than one only after a retry.
        """
        header = QueryMessageRequest(
            topic=topic, key=key, max_num=MAX_FOUND, begin_timestamp=0, end_timestamp=_FOREVER_MS, unique=unique
        )
        messages: list[ReceivedMessage] = []
        for broker in (await self._routes.find(topic)).broker_datas:
            command = Command(RequestCode.QUERY_MESSAGE, encode_header(header))
            reply = await self._remoting.request(broker.any_address, command, TIMEOUT_SECONDS)
            if reply.code != ResponseCode.QUERY_NOT_FOUND:
                messages += decode_messages(expect_success(reply).body, broker.broker_name)
        return sorted(messages, key=lambda message: message.stored_ms)

    async def by_offset_id(self, message_id: str) -> ReceivedMessage:
        """Return the message with the id that its broker gave it, from the broker whose address is in the id.

        ProtocolError when the text is no such id.
        """
        address, log_offset = place_in_id(message_id)
        command = Command(RequestCode.VIEW_MESSAGE_BY_ID, encode_header(ViewMessageRequest(offset=log_offset)))
        reply = expect_success(await self._remoting.request(address, command, TIMEOUT_SECONDS))
        return decode_messages(reply.body, address)[0]


def place_in_id(message_id: str) -> tuple[str, int]:
    """Return the broker's address and the offset in its log that an offset id holds; ProtocolError when it is none."""
    host, log_offset = decode_offset_message_id(message_id)
    ip, port = unpack_host(host)
    return (f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"), log_offset
