"""Requests to brokers by their address, without routes and retries: every answer comes back as it is."""

import asyncio
from dataclasses import dataclass
from types import TracebackType

from broker_py.client.messages import ReceivedMessage, decode_messages
from broker_py.client.replies import header_of
from broker_py.message.properties import encode_properties
from broker_py.remoting.client import RemotingClient
from broker_py.remoting.connection import expect_success
from broker_py.runtime.clock import SystemClock
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command
from broker_py.wire.header import encode_header
from broker_py.wire.headers.admin import CreateTopicRequest
from broker_py.wire.headers.offsets import QueryOffsetRequest, UpdateOffsetRequest
from broker_py.wire.headers.pull import PULL_SUBSCRIPTION, PULL_SUSPEND, PullReply, PullRequest, QueryMessageRequest
from broker_py.wire.headers.send import SendRequest
from tests.support.cluster import PATIENCE

REQUEST_SECONDS = 15.0 * PATIENCE
GROUP = "direct"
_GO_ON = (ResponseCode.SUCCESS, ResponseCode.PULL_RETRY_IMMEDIATELY)


@dataclass(frozen=True)
class Sent:
    """The answer to a send: its code, and where the message lies if it is stored."""

    code: int
    queue_id: int
    queue_offset: int


@dataclass(frozen=True)
class Pulled:
    """The answer to a pull."""

    code: int
    offsets: PullReply
    messages: list[ReceivedMessage]

    @property
    def bodies(self) -> list[bytes]:
        """The bodies of the messages."""
        return [message.body for message in self.messages]


class Direct:
    """Talks to brokers. An asynchronous context manager that closes the connections."""

    def __init__(self) -> None:
        self._remoting = RemotingClient()

    async def __aenter__(self) -> "Direct":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._remoting.close()

    async def ask(
        self,
        address: str,
        code: int,
        ext: dict[str, str] | None = None,
        body: bytes = b"",
        seconds: float = REQUEST_SECONDS,
    ) -> Command:
        """Return the answer to a request, whatever its code."""
        return await self._remoting.request(address, Command(code, ext, body), seconds)

    async def tell(self, address: str, code: int, ext: dict[str, str] | None = None, body: bytes = b"") -> Command:
        """Return the answer to a request that is to succeed."""
        return expect_success(await self.ask(address, code, ext, body))

    async def make_topic(self, address: str, topic: str) -> None:
        """Give a topic four queues on a broker."""
        header = CreateTopicRequest(
            topic=topic,
            default_topic="TBW102",
            read_queue_nums=4,
            write_queue_nums=4,
            perm=6,
            topic_filter_type="SINGLE_TAG",
        )
        await self.tell(address, RequestCode.UPDATE_AND_CREATE_TOPIC, encode_header(header))

    async def send(
        self, address: str, topic: str, body: bytes, queue_id: int = 0, properties: dict[str, str] | None = None
    ) -> Sent:
        """Send a message to a queue; the topic is made if need be, with 4 queues."""
        text = encode_properties(properties or {}).decode()
        header = SendRequest("producers", topic, queue_id, born_timestamp=SystemClock().now_ms(), properties=text)
        reply = await self.ask(address, RequestCode.SEND_MESSAGE_V2, header.to_ext(), body)
        return Sent(reply.code, int(reply.ext.get("queueId", -1)), int(reply.ext.get("queueOffset", -1)))

    async def pull(
        self, address: str, topic: str, queue_id: int = 0, queue_offset: int = 0, suspend_ms: int = 0
    ) -> Pulled:
        """Pull up to 32 messages of a queue."""
        header = PullRequest(
            consumer_group=GROUP,
            topic=topic,
            queue_id=queue_id,
            queue_offset=queue_offset,
            max_msg_nums=32,
            sys_flag=PULL_SUBSCRIPTION | (PULL_SUSPEND if suspend_ms else 0),
            suspend_timeout_millis=suspend_ms,
            subscription="*",
        )
        seconds = REQUEST_SECONDS + suspend_ms / 1000
        reply = await self.ask(address, RequestCode.PULL_MESSAGE, encode_header(header), seconds=seconds)
        messages = decode_messages(reply.body, "") if reply.code == ResponseCode.SUCCESS else []
        return Pulled(reply.code, header_of(PullReply, reply), messages)

    async def waiting_pull(
        self, address: str, topic: str, queue_id: int = 0, queue_offset: int = 0, suspend_ms: int = 60_000
    ) -> "asyncio.Task[Pulled]":
        """Return a pull that has reached the broker, which may hold it until there is something to answer."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self.pull(address, topic, queue_id, queue_offset, suspend_ms))
        # Requests of one connection are handled in their order: this one is answered behind the pull.
        await loop.create_task(self.ask(address, RequestCode.GET_BROKER_HA_STATUS))
        return task

    async def query(self, address: str, topic: str, key: str, *, unique: bool = False) -> list[ReceivedMessage]:
        """Return the messages of a topic that are found by a key, at most 32, or by their unique id."""
        header = QueryMessageRequest(
            topic=topic, key=key, max_num=32, begin_timestamp=0, end_timestamp=1 << 50, unique=unique
        )
        reply = await self.ask(address, RequestCode.QUERY_MESSAGE, encode_header(header))
        return decode_messages(reply.body, "") if reply.code == ResponseCode.SUCCESS else []

    async def commit(self, address: str, topic: str, group: str, queue_offset: int, queue_id: int = 0) -> None:
        """Set where a group stands in a queue."""
        header = UpdateOffsetRequest(consumer_group=group, topic=topic, queue_id=queue_id, commit_offset=queue_offset)
        await self.tell(address, RequestCode.UPDATE_CONSUMER_OFFSET, encode_header(header))

    async def committed(self, address: str, topic: str, group: str, queue_id: int = 0) -> int | None:
        """Return where a group stands in a queue, or None."""
        header = QueryOffsetRequest(consumer_group=group, topic=topic, queue_id=queue_id)
        reply = await self.ask(address, RequestCode.QUERY_CONSUMER_OFFSET, encode_header(header))
        return int(reply.ext["offset"]) if reply.code == ResponseCode.SUCCESS else None

    async def read_queue(
        self, address: str, topic: str, queue_id: int = 0, queue_offset: int = 0
    ) -> list[ReceivedMessage]:
        """Return all messages of a queue from an offset on."""
        messages: list[ReceivedMessage] = []
        while True:
            pulled = await self.pull(address, topic, queue_id, queue_offset)
            messages += pulled.messages
            if pulled.offsets.next_begin_offset <= queue_offset or pulled.code not in _GO_ON:
                return messages
            queue_offset = pulled.offsets.next_begin_offset
