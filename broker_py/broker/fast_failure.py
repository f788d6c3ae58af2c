"""Requests that waited for too long are refused, before anything is done for them (broker latency/BrokerFastFailure).

Their senders may have given up on them, and the time is better spent on those behind. The periods are Java's; what it
calls a queue is the socket here (`remoting.waiting_time`), and is cleaned when its turn comes, not every 10 ms.
"""

import logging
from typing import Final

from broker_py.broker.config import BrokerConfig
from broker_py.seams import Clock
from broker_py.store.store import Store
from broker_py.wire.codes import RequestCode, ResponseCode
from broker_py.wire.command import Command, Reply

log = logging.getLogger(__name__)

SENDS: Final = (
    RequestCode.SEND_MESSAGE,
    RequestCode.SEND_MESSAGE_V2,
    RequestCode.SEND_BATCH_MESSAGE,
    RequestCode.CONSUMER_SEND_MSG_BACK,
)
PULLS: Final = (
    RequestCode.PULL_MESSAGE,
    RequestCode.POP_MESSAGE,
    RequestCode.PEEK_MESSAGE,
    RequestCode.NOTIFICATION,
    RequestCode.POLLING_INFO,
)
ACKS: Final = (RequestCode.ACK_MESSAGE, RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
_LOG_EVERY_MS: Final = 15_000


class FastFailure:
    """Which requests may wait how long: a `remoting.waiting_time.Patience`. `seconds` is inf without a limit."""

    def __init__(self, config: BrokerConfig, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._refused = 0
        self._logged_ms = 0
        self.configure(config)

    def configure(self, config: BrokerConfig) -> None:
        """Follow changed properties from here on; those of the store, too."""
        self._limits = {
            **dict.fromkeys(SENDS, config.wait_time_mills_in_send_queue),
            **dict.fromkeys(PULLS, config.wait_time_mills_in_pull_queue),
            RequestCode.LITE_PULL_MESSAGE: config.wait_time_mills_in_lite_pull_queue,
            RequestCode.HEART_BEAT: config.wait_time_mills_in_heartbeat_queue,
            RequestCode.END_TRANSACTION: config.wait_time_mills_in_transaction_queue,
            **dict.fromkeys(ACKS, config.wait_time_mills_in_ack_queue),
        }
        least_ms = min(*self._limits.values(), self._store.config.os_page_cache_busy_time_out_mills)
        self.seconds = least_ms / 1000 if config.broker_fast_failure_enable else float("inf")

    def refusal(self, command: Command, waited_ms: int, behind: int) -> Reply | None:
        """Return the answer to a request that waited too long, None when it is to be served."""
        limit = self._limits.get(command.code)
        if limit is None:
            return None
        if command.code in SENDS and self._clock.now_ms() - waited_ms < self._store.busy_until_ms:
            why = "PCBUSY_CLEAN_QUEUE"  # it came while a write to the log took too long
        elif waited_ms >= limit:
            why = "TIMEOUT_CLEAN_QUEUE"
        else:
            return None
        self._note(command.code, waited_ms)
        return Reply(
            ResponseCode.SYSTEM_BUSY,
            f"[{why}]broker busy, start flow control for a while, "
            f"period in queue: {waited_ms}ms, size of queue: {behind}",
        )

    def _note(self, code: int, waited_ms: int) -> None:
        """Say now and then how many were refused."""
        self._refused += 1
        now_ms = self._clock.now_ms()
        if not 0 <= now_ms - self._logged_ms < _LOG_EVERY_MS:
            self._logged_ms = now_ms
            log.warning(
                "%d requests refused, which waited too long for their turn; this one, of code %d, for %d ms",
                self._refused,
                code,
                waited_ms,
            )
            self._refused = 0
