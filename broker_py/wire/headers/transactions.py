"""Headers of the requests that end a transaction or ask for its state (remoting protocol/header/*Transaction*)."""

from dataclasses import dataclass, field
from typing import Final

from broker_py.wire.header import Int32, Int64

PENDING: Final = 0
"""`commit_or_rollback` of a producer that does not know; the others are the bits of a message's sysFlag."""


@dataclass(kw_only=True)
class EndTransactionRequest:
    """A producer's word on a half message: request 37."""

    producer_group: str
    tran_state_table_offset: Int64
    commit_log_offset: Int64
    commit_or_rollback: Int32
    msg_id: str
    topic: str | None = None
    from_transaction_check: bool = False
    transaction_id: str | None = None


@dataclass(kw_only=True)
class CheckTransactionRequest:
    """The broker asks a producer what became of a transaction: the push 39; `msg_id` is the producer's unique id."""

    tran_state_table_offset: Int64
    commit_log_offset: Int64
    offset_msg_id: str | None = None
    broker_name: str | None = field(default=None, metadata={"wire": "bname"})
    msg_id: str | None = None
    transaction_id: str | None = None
