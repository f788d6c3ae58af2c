"""The client library: producers and consumers of RocketMQ's remoting protocol for asyncio (docs/client.md)."""

from broker_py.client.allocation import Allocate, allocate_averagely, allocate_by_circle
from broker_py.client.client import Client
from broker_py.client.consuming import (
    ConsumeContext,
    ConsumeFromWhere,
    ConsumeStatus,
    FlowLimits,
    Listener,
    PushOptions,
)
from broker_py.client.expressions import Expression, Sql
from broker_py.client.instance import Identity
from broker_py.client.messages import OutgoingMessage, ReceivedMessage
from broker_py.client.producer import Producer, ProducerOptions, by_sharding_key
from broker_py.client.pull_consumer import PullConsumer, PullOptions
from broker_py.client.push_consumer import PushConsumer
from broker_py.client.requests import Requester, reply_to
from broker_py.client.sending import SendResult, SendStatus
from broker_py.client.transactions import TransactionProducer, TransactionResult, TransactionState
from broker_py.errors import BrokerPyError, ConfigError, ProtocolError, RequestFailed, Unreachable
from broker_py.model.message_queue import MessageQueue

__all__ = [
    "Allocate",
    "BrokerPyError",
    "Client",
    "ConfigError",
    "ConsumeContext",
    "ConsumeFromWhere",
    "ConsumeStatus",
    "Expression",
    "FlowLimits",
    "Identity",
    "Listener",
    "MessageQueue",
    "OutgoingMessage",
    "Producer",
    "ProducerOptions",
    "ProtocolError",
    "PullConsumer",
    "PullOptions",
    "PushConsumer",
    "PushOptions",
    "ReceivedMessage",
    "RequestFailed",
    "Requester",
    "SendResult",
    "SendStatus",
    "Sql",
    "TransactionProducer",
    "TransactionResult",
    "TransactionState",
    "Unreachable",
    "allocate_averagely",
    "allocate_by_circle",
    "by_sharding_key",
    "reply_to",
]
