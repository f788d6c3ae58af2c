"""Messages that are to be delivered later: where they wait, and what their properties say (broker util/HookUtils).

A delay level has a message wait in queue level - 1 of SCHEDULE_TOPIC_XXXX, a time in rmq_sys_wheel_timer. Where it is
to go is kept in REAL_TOPIC and REAL_QID.
"""

from collections.abc import Callable
from typing import Final

from broker_py.errors import RequestRefused
from broker_py.message.delay import DelayLevels, delay_level
from broker_py.message.properties import (
    DELAY,
    REAL_QID,
    REAL_TOPIC,
    TIMER_DEL_UNIQKEY,
    TIMER_DELAY_MS,
    TIMER_DELAY_SEC,
    TIMER_DELIVER_MS,
    TIMER_OUT_MS,
)
from broker_py.model.topic import SCHEDULE_TOPIC, TIMER_TOPIC
from broker_py.seams import Clock
from broker_py.store.config import StoreConfig
from broker_py.wire.codes import ResponseCode

_TIMES: Final = (TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS)
_MAX_DIGITS: Final = 18
MAX_LEVELS: Final = 0x10000  # as many as queue ids

# How the two services deliver: so much at a time, and no more when so much is not safe yet.
BATCH: Final = 32
BATCH_BYTES: Final = 256 * 1024
MAX_IN_FLIGHT: Final = 2048
"""Messages that are stored anew and not safe yet."""
SLICE_SECONDS: Final = 0.002
PAUSE_SECONDS: Final = 0.5
"""After a failure."""


class Deferral:
    """Decides where a message waits. `congested(ms)`: too many messages are timed for that moment already."""

    def __init__(self, config: StoreConfig, clock: Clock, congested: Callable[[int], bool]) -> None:
        self._clock = clock
        self._congested = congested
        self._levels = DelayLevels(config.message_delay_level)
        self.configure(config)

    def configure(self, config: StoreConfig) -> None:
        """Follow changed properties from here on."""
        self._config = config

    def place(self, topic: str, queue_id: int, properties: dict[str, str]) -> tuple[str, int] | None:
        """Return topic and queue id where a message is to wait, None for one to be stored where it says.

        `properties` are changed to what is to be stored. RequestRefused for a time that can't be.
        """
        level = delay_level(properties)
        if level > 0:
            for name in _TIMES:
                properties.pop(name, None)
            level = min(level, self._levels.highest)
            properties[DELAY] = str(level)
            self._keep_destination(topic, queue_id, properties)
            return SCHEDULE_TOPIC, level - 1
        if topic != TIMER_TOPIC and TIMER_OUT_MS not in properties and any(name in properties for name in _TIMES):
            return self._place_timed(topic, queue_id, properties)
        return None

    def _place_timed(self, topic: str, queue_id: int, properties: dict[str, str]) -> tuple[str, int] | None:
        config, now_ms = self._config, self._clock.now_ms()
        if not config.timer_wheel_enable:
            raise RequestRefused(
                ResponseCode.SERVICE_NOT_AVAILABLE,
                "accurate timer message is not enabled, timerWheelEnable is false",
            )
        deliver_ms = _deliver_ms(properties, now_ms)
        if deliver_ms <= now_ms:
            if TIMER_DEL_UNIQKEY in properties:
                raise _illegal("a message that takes back a timed one has a time that is over")
            return None
        if deliver_ms - now_ms > config.timer_max_delay_sec * 1000:
            raise _illegal(f"it is to wait {deliver_ms - now_ms} ms, more than timerMaxDelaySec")
        precision = config.timer_precision_ms
        # A slot is delivered when the next one begins, so that nothing comes early: a time on the border is of the one
        # before.
        out_ms = (deliver_ms - 1) // precision * precision
        if self._congested(out_ms):
            raise RequestRefused(
                ResponseCode.SYSTEM_ERROR,
                "timer message is under flow control, more than timerCongestNumEachSlot wait for that time",
            )
        properties[TIMER_OUT_MS] = str(out_ms)
        self._keep_destination(topic, queue_id, properties)
        return TIMER_TOPIC, 0

    @staticmethod
    def _keep_destination(topic: str, queue_id: int, properties: dict[str, str]) -> None:
        properties[REAL_TOPIC] = topic
        properties[REAL_QID] = str(queue_id)


def _deliver_ms(properties: dict[str, str], now_ms: int) -> int:
    name = next(name for name in _TIMES if name in properties)
    text = properties[name]
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS):
        raise _illegal(f"{name} is {text[:40]!r}, not a number")
    number = int(text)
    if name == TIMER_DELIVER_MS:
        return number
    return now_ms + number * (1000 if name == TIMER_DELAY_SEC else 1)


def _illegal(why: str) -> RequestRefused:
    return RequestRefused(ResponseCode.MESSAGE_ILLEGAL, f"timer message illegal, {why}")


def destination(properties: dict[str, str]) -> tuple[str, int] | None:
    """Return the topic and queue id that a waiting message is for; None when it doesn't say."""
    topic, queue_id = properties.get(REAL_TOPIC), properties.get(REAL_QID, "")
    if not topic or not (queue_id.isascii() and queue_id.isdecimal() and int(queue_id) < MAX_LEVELS):
        return None
    return topic, int(queue_id)
