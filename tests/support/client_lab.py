"""A cluster that tests of the client library run against, whoever's it is."""

from collections.abc import Callable
from dataclasses import dataclass, field

from broker_py.admin.topics import update_topic
from broker_py.client import (
    Client,
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeStatus,
    OutgoingMessage,
    PushOptions,
    ReceivedMessage,
)
from broker_py.model.topic import TopicConfig
from tests.support.cluster import until

# What a broker needs to run all of the tests within seconds.
BROKER_PROPERTIES = {
    "enablePropertyFilter": "true",
    "timerWheelEnable": "true",
    "transactionCheckInterval": 3000,
    "transactionTimeOut": 2000,
    "waitTimeMillsInSendQueue": 3000,
}

FIRST = PushOptions(consume_from_where=ConsumeFromWhere.FIRST_OFFSET)


async def send_numbers(client: Client, topic: str, count: int) -> None:
    """Send messages "0", "1"... one after the other."""
    producer = client.producer(f"P_{topic}")
    for number in range(count):
        await producer.send(OutgoingMessage(topic=topic, body=str(number).encode()))


async def a_broker(client: Client, topic: str) -> str:
    """Return the address of a broker that has a topic."""
    return (await client.routes.find(topic)).broker_datas[0].any_address


@dataclass
class ClientLab:
    """Address of the name server, and the cluster whose brokers make the topics."""

    namesrv: str
    cluster: str

    def client(self, namespace: str = "") -> Client:
        """Return a client of its own."""
        return Client(self.namesrv, namespace=namespace)

    async def topic(self, client: Client, name: str, queues: int = 4) -> str:
        """Make a topic and wait for its route."""
        config = TopicConfig(topic_name=name, read_queue_nums=queues, write_queue_nums=queues)

        async def made() -> bool:
            outcomes = await update_topic(client, config, cluster=self.cluster)
            return all(outcome.error is None for outcome in outcomes)

        await until(made, f"the cluster makes {name}")

        async def routed() -> bool:
            return bool(await client.topic_queues(name))

        await until(routed, f"a route of {name}")
        return name


@dataclass
class Inbox:
    """A listener that keeps what it gets, and answers by `answer`."""

    answer: Callable[[list[ReceivedMessage], ConsumeContext], ConsumeStatus] = lambda *_: ConsumeStatus.SUCCESS
    messages: list[ReceivedMessage] = field(default_factory=list)

    async def __call__(self, messages: list[ReceivedMessage], context: ConsumeContext) -> ConsumeStatus:
        """Take messages."""
        self.messages += messages
        return self.answer(messages, context)

    @property
    def bodies(self) -> list[bytes]:
        """What came, in the order in which it came."""
        return [message.body for message in self.messages]

    async def until(self, condition: Callable[[list[bytes]], bool], seconds: float = 20.0) -> None:
        """Wait until the bodies are as wanted."""

        async def met() -> bool:
            return condition(self.bodies)

        await until(met, f"messages are as wanted, not {len(self.bodies)}: {self.bodies[:20]}", seconds)
