"""The client library: producers and consumers of RocketMQ's remoting protocol for asyncio (docs/client.md).

Each name is imported when it is first used: mqadmin takes few of them, and is to be quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "broker_py.client.allocation": ["Allocate", "allocate_averagely", "allocate_by_circle"],
    "broker_py.client.client": ["Client"],
    "broker_py.client.consuming": [
        "ConsumeContext",
        "ConsumeFromWhere",
        "ConsumeStatus",
        "FlowLimits",
        "Listener",
        "PushOptions",
    ],
    "broker_py.client.expressions": ["Expression", "Sql"],
    "broker_py.client.instance": ["Identity"],
    "broker_py.client.messages": ["OutgoingMessage", "ReceivedMessage"],
    "broker_py.client.producer": ["Producer", "ProducerOptions", "by_sharding_key"],
    "broker_py.client.pull_consumer": ["PullConsumer", "PullOptions"],
    "broker_py.client.push_consumer": ["PushConsumer"],
    "broker_py.client.requests": ["Requester", "reply_to"],
    "broker_py.client.sending": ["SendResult", "SendStatus"],
    "broker_py.client.transactions": ["TransactionProducer", "TransactionResult", "TransactionState"],
    "broker_py.errors": ["BrokerPyError", "ConfigError", "ProtocolError", "RequestFailed", "Unreachable"],
    "broker_py.model.message_queue": ["MessageQueue"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value
