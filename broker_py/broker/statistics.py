"""How much goes through the broker, in the forms that tools read (store StoreStatsService, stats/BrokerStats).

Counters only grow; once a second `sample` remembers them, and rates are differences between samples.
"""

from collections import deque
from datetime import date
from typing import Final

from broker_py.broker.traffic import Traffic

RATE_WINDOWS_SECONDS: Final = (10, 60, 600)


class Statistics:
    """Counters of one broker since its start."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.put_messages = 0
        self.put_bytes = 0
        self.put_failed = 0
        self.get_found = 0
        self.get_missed = 0
        self.got_messages = 0
        self.traffic = Traffic(start_ms)
        # (milliseconds, puts, found, missed, transferred) per second, as long as the longest window
        self._samples: deque[tuple[int, int, int, int, int]] = deque(maxlen=RATE_WINDOWS_SECONDS[-1] + 1)
        self._puts_at_midnight = [0, 0]  # yesterday's, today's
        self._gets_at_midnight = [0, 0]
        self._day = date.fromtimestamp(start_ms / 1000)

    def put(self, topic: str, messages: int, size: int) -> None:
        """Count the messages of one send, and the bytes that their records take."""
        self.put_messages += messages
        self.put_bytes += size
        self.traffic.add(topic, messages, size)

    def found(self, topic: str, group: str, messages: int, size: int) -> None:
        """Count the messages that one pull got."""
        self.get_found += 1
        self.got_messages += messages
        self.traffic.add((topic, group), messages, size)

    def sample(self, now_ms: int) -> None:
        """Remember the counters; called once a second. At local midnight today's totals become yesterday's."""
        self.traffic.sample(now_ms)
        self._samples.append((now_ms, self.put_messages, self.get_found, self.get_missed, self.got_messages))
        day = date.fromtimestamp(now_ms / 1000)
        if day != self._day:
            self._day = day
            self._puts_at_midnight = [self._puts_at_midnight[1], self.put_messages]
            self._gets_at_midnight = [self._gets_at_midnight[1], self.got_messages]

    def rates(self) -> dict[str, str]:
        """Rates per second over 10, 60 and 600 s, three numbers each: as far as samples reach, so never empty."""
        return {
            "putTps": self._rate((1,)),
            "getFoundTps": self._rate((2,)),
            "getMissTps": self._rate((3,)),
            "getTotalTps": self._rate((2, 3)),
            "getTransferredTps": self._rate((4,)),
        }

    def _rate(self, columns: tuple[int, ...]) -> str:
        shown: list[str] = []
        for window in RATE_WINDOWS_SECONDS:
            if len(self._samples) < 2:
                shown.append("0.0")
                continue
            last, first = self._samples[-1], self._samples[max(0, len(self._samples) - 1 - window)]
            count = sum(last[column] - first[column] for column in columns)
            shown.append(str(round(count * 1000 / max(1, last[0] - first[0]), 3)))
        return " ".join(shown)

    def totals(self) -> dict[str, str]:
        """Counters by day, as `mqadmin clusterList -m` subtracts them."""
        return {
            "msgPutTotalYesterdayMorning": str(self._puts_at_midnight[0]),
            "msgPutTotalTodayMorning": str(self._puts_at_midnight[1]),
            "msgPutTotalTodayNow": str(self.put_messages),
            "msgGetTotalYesterdayMorning": str(self._gets_at_midnight[0]),
            "msgGetTotalTodayMorning": str(self._gets_at_midnight[1]),
            "msgGetTotalTodayNow": str(self.got_messages),
        }
