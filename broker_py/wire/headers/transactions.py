"""Headers of the requests that end and check transactions (remoting protocol/header/EndTransaction..., Check...)."""

from dataclasses import dataclass

from broker_py.wire.header import Int32, Int64


@dataclass(kw_only=True)
class EndTransactionRequest:
    """A producer's word on a half message: request 37. `commit_or_rollback` is of the sysFlag's transaction bits."""

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
    """A broker asks the producer for its word: request 39, the half message is in the body."""

    tran_state_table_offset: Int64
    commit_log_offset: Int64
    msg_id: str | None = None
    transaction_id: str | None = None
    offset_msg_id: str | None = None
