"""How much goes through the broker, in the forms that tools read (store StoreStatsService, stats/BrokerStats).

Counters only grow; once a second `sample` remembers them, and rates are differences between samples.
"""

from collections import deque
from datetime import date
from typing import Final

from broker_py.broker.put_times import PutTimes
from broker_py.broker.traffic import Counter, Traffic
from broker_py.model.topic import SCHEDULE_TOPIC

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
        self.longest_get_ms = 0
        self.acked = 0
        self.checkpoints = 0
        self.put_times = PutTimes()
        self.traffic = Traffic(start_ms)
        self.queues = Traffic(start_ms)
        self.of_broker = {name: Counter(start_ms) for name in self._of_broker()}
        # (milliseconds, puts, found, missed, transferred) per second, as long as the longest window
        self._samples: deque[tuple[int, int, int, int, int]] = deque(maxlen=RATE_WINDOWS_SECONDS[-1] + 1)
        self._puts_at_midnight = [0, 0]  # yesterday's, today's
        self._gets_at_midnight = [0, 0]
        self._day = date.fromtimestamp(start_ms / 1000)

    def put(self, topic: str, messages: int, size: int, queue_id: int = -1) -> None:
        """Count the messages of one send, and the bytes that their records take. By queue only what is delayed."""
        self.put_messages += messages
        self.put_bytes += size
        self.traffic.add(topic, messages, size)
        if topic == SCHEDULE_TOPIC:
            self.queues.add(("QUEUE_PUT", topic, str(queue_id)), messages, size)

    def put_latency(self, topic: str, queue_id: str) -> Counter:
        """Return what counts how long puts to a queue take, in milliseconds, for the clients that wait for them."""
        return self.queues.counter(("TOPIC_PUT_LATENCY", topic, queue_id))

    def found(self, topic: str, group: str, messages: int, size: int) -> None:
        """Count the messages that one pull got."""
        self.get_found += 1
        self.got_messages += messages
        self.traffic.add((topic, group), messages, size)

    def read(self, topic: str, queue_id: int, group: str, milliseconds: int) -> None:
        """Note how long it took to read the messages that a pull got."""
        self.queues.add(("GROUP_GET_LATENCY", topic, str(queue_id), group), milliseconds, 0)
        self.longest_get_ms = max(self.longest_get_ms, milliseconds)

    def delivered(self, group: str, queue_id: int, size: int) -> None:
        """Count a delayed message that was taken from its level; the group stands for the broker."""
        self.traffic.add((SCHEDULE_TOPIC, group), 1, size)
        self.queues.add(("QUEUE_GET", SCHEDULE_TOPIC, str(queue_id), group), 1, size)

    def sent_back(self, topic: str, group: str) -> None:
        """Count a message that a group gave back."""
        self.traffic.add(("SNDBCK_PUT_NUMS", topic, group), 1, 0)

    def dead(self, topic: str, group: str) -> None:
        """Count a message that a group gave back and that went to its dead letters."""
        self.traffic.add(("SNDBCK2DLQ_TIMES", topic, group), 1, 0)

    def settled(self, topic: str, group: str, *, again: bool) -> None:
        """Count a popped message that was acknowledged, or (`again`) is to come back at another time."""
        self.acked += 1
        self.traffic.add(("GROUP_ACK_NUMS", topic, group), 1, 0)
        if again:
            self.checkpoints += 1
            self.traffic.add(("GROUP_CK_NUMS", topic, group), 1, 0)

    def _of_broker(self) -> dict[str, int]:
        """What goes through the broker as a whole: item of request 315 → messages since the start."""
        system_puts, system_gets = self.traffic.of_system_topics()
        return {
            "BROKER_PUT_NUMS": self.put_messages,
            "BROKER_GET_NUMS": self.got_messages,
            "BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC": self.put_messages - system_puts,
            "BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC": self.got_messages - system_gets,
            "BROKER_ACK_NUMS": self.acked,
            "BROKER_CK_NUMS": self.checkpoints,
        }

    def sample(self, now_ms: int) -> None:
        """Remember the counters; called once a second. At local midnight today's totals become yesterday's."""
        self.traffic.sample(now_ms)
        self.queues.sample(now_ms)
        self.put_times.second()
        of_broker = self._of_broker()
        for name, messages in of_broker.items():
            self.of_broker[name].messages = messages
            self.of_broker[name].sample(now_ms)
        self._samples.append((now_ms, self.put_messages, self.get_found, self.get_missed, self.got_messages))
        day = date.fromtimestamp(now_ms / 1000)
        if day != self._day:
            self._day = day
            self._puts_at_midnight = [self._puts_at_midnight[1], of_broker["BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC"]]
            self._gets_at_midnight = [self._gets_at_midnight[1], of_broker["BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC"]]

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
        """Counters by day, as `mqadmin clusterList -m` subtracts them; system topics are left out."""
        of_broker = self._of_broker()
        return {
            "msgPutTotalYesterdayMorning": str(self._puts_at_midnight[0]),
            "msgPutTotalTodayMorning": str(self._puts_at_midnight[1]),
            "msgPutTotalTodayNow": str(of_broker["BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC"]),
            "msgGetTotalYesterdayMorning": str(self._gets_at_midnight[0]),
            "msgGetTotalTodayMorning": str(self._gets_at_midnight[1]),
            "msgGetTotalTodayNow": str(of_broker["BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC"]),
        }
