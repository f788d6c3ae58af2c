"""Delay levels: when a message in SCHEDULE_TOPIC_XXXX is due (`store/DefaultMessageStore.parseDelayLevel`)."""

from collections.abc import Mapping
from typing import Final

from broker_py.errors import ConfigError
from broker_py.message.properties import DELAY

DEFAULT_LEVELS: Final = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h"
_UNIT_MS: Final = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MAX_DIGITS: Final = 9  # so that no time exceeds 64 bits


class DelayLevels:
    """The waits of levels 1, 2, ..., as `messageDelayLevel` has them: `1s 5s 2h`. ConfigError for another text."""

    def __init__(self, text: str = DEFAULT_LEVELS) -> None:
        self._waits_ms = [_wait_ms(level, text) for level in text.split()]
        if not self._waits_ms:
            raise ConfigError("messageDelayLevel has no level")

    @property
    def highest(self) -> int:
        """The highest level."""
        return len(self._waits_ms)

    def wait_ms(self, level: int) -> int:
        """Return how long a message of a level waits; one above the highest is the highest."""
        return self._waits_ms[min(level, len(self._waits_ms)) - 1]

    def due_ms(self, properties: Mapping[str, str], stored_ms: int) -> int | None:
        """Return when a stored message is due, which its queue holds in place of a tag's code; None without a level.

        A level above the highest is the highest one.
        """
        level = delay_level(properties)
        return stored_ms + self.wait_ms(level) if level else None


def delay_level(properties: Mapping[str, str]) -> int:
    """Return the delay level that properties ask for, 0 without one."""
    level = properties.get(DELAY, "")
    return int(level) if _is_number(level) else 0


def _wait_ms(level: str, text: str) -> int:
    number, unit = level[:-1], _UNIT_MS.get(level[-1])
    if unit is None or not _is_number(number):
        raise ConfigError(f"messageDelayLevel is {text!r}: {level!r} is not a number with s, m, h or d behind it")
    return int(number) * unit


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS
