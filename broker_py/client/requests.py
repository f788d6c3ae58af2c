"""Messages that are answered by a message (client producer/RequestResponseFuture, utils/MessageUtil)."""

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Final
from uuid import uuid4

from broker_py.client.instance import Instance
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import Producer, ProducerOptions
from broker_py.errors import ConfigError, RequestFailed, Unreachable
from broker_py.message.properties import CLUSTER, CORRELATION_ID, MSG_TYPE, REPLY_TO_CLIENT, TTL
from broker_py.wire.codes import ResponseCode

_REPLY_TOPIC: Final = "_REPLY_TOPIC"
_REPLY_TYPE: Final = "reply"


class Requester:
    """Sends messages and waits for what consumers answer. An asynchronous context manager.

    The answer comes over the connection to the broker that the consumer sends it to, so all of the topic's brokers
    must know this client, which is seen to here.
    """

    def __init__(self, instance: Instance, group: str, options: ProducerOptions | None = None) -> None:
        self._instance = instance
        self._producer = Producer(instance, group, options)
        self._joined = False

    async def request(self, message: OutgoingMessage, timeout_seconds: float = 3.0) -> ReceivedMessage:
        """Return the reply; Unreachable when none comes in time, RequestFailed when the message is not stored."""
        if not self._joined:
            raise ConfigError("a requester is used as an asynchronous context manager")
        correlation_id = str(uuid4())
        requests = self._instance.requests
        reply = requests.expect_reply(correlation_id)
        asked = replace(
            message,
            properties={
                **message.properties,
                CORRELATION_ID: correlation_id,
                REPLY_TO_CLIENT: self._instance.client_id,
                TTL: str(int(timeout_seconds * 1000)),
            },
        )
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        try:
            await self._producer.send(asked)
            done, _ = await asyncio.wait({reply}, timeout=deadline - asyncio.get_running_loop().time())
            if not done:
                raise Unreachable(f"nobody replied to the request of topic {message.topic} in {timeout_seconds:g} s")
            return reply.result()
        finally:
            requests.forget_reply(correlation_id)

    async def __aenter__(self) -> "Requester":
        await self._producer.__aenter__()
        self._joined = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._joined = False
        await self._producer.__aexit__(kind, error, trace)


def reply_to(request: ReceivedMessage, body: bytes) -> OutgoingMessage:
    """Return the message that answers a request, to be sent by `Producer.send_reply`; RequestFailed if it is none."""
    try:
        properties = {name: request.properties[name] for name in (CORRELATION_ID, REPLY_TO_CLIENT, TTL)}
        topic = request.properties[CLUSTER] + _REPLY_TOPIC
    except KeyError as missing:
        raise RequestFailed(
            ResponseCode.MESSAGE_ILLEGAL, f"the message {request.message_id} asks for no reply: it has no {missing}"
        ) from None
    return OutgoingMessage(topic=topic, body=body, properties={**properties, MSG_TYPE: _REPLY_TYPE})
