"""The errors that cross package borders, split by what the catcher does.

A peer's, a disk's or an operator's fault is one of these; our own bugs are assertions.
Expected outcomes (nothing new to read, an offset too small) are values, not errors.
"""


class BrokerPyError(Exception):
    """Base of all errors raised on purpose; its text is one sentence for a person."""


class ProtocolError(BrokerPyError):
    """The peer broke the wire format: close its connection."""


class RequestRefused(BrokerPyError):
    """Answer the request with `code` and `remark`, and keep the connection."""

    def __init__(self, code: int, remark: str) -> None:
        super().__init__(remark)
        self.code = code
        self.remark = remark


class RequestFailed(BrokerPyError):
    """A peer answered our own request with an error `code` and `remark`."""

    def __init__(self, code: int, remark: str) -> None:
        super().__init__(f"code {code}: {remark}")
        self.code = code
        self.remark = remark


class Unreachable(BrokerPyError):
    """No answer from a peer: it could not be connected to, or the time was up."""


class StoreError(BrokerPyError):
    """The store can't do what was asked; writes are refused until it can."""


class LogCorrupt(StoreError):
    """Bytes on disk are not what was written there."""


class LogFull(StoreError):
    """There is no room for another record."""


class ConfigError(BrokerPyError):
    """A property or an option is wrong; the text names it. The process exits."""
