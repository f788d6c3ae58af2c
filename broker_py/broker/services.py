"""What a broker does with messages by itself: it delivers late ones, decides about half ones, revives popped ones.

Nothing of it runs on a slave. All of it ends in messages that the broker stores, see `own_messages`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from broker_py.broker.ack_policy import AckPolicy
from broker_py.broker.clients import ProducerTable
from broker_py.broker.cold_reads import ColdReads
from broker_py.broker.decisions import Decisions
from broker_py.broker.deferral import Deferral
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.periodic import Periodic
from broker_py.broker.pop.service import PopService
from broker_py.broker.schedule import ScheduleService
from broker_py.broker.settings import BrokerSettings, Host
from broker_py.broker.tables import Tables
from broker_py.broker.timers import TimerService
from broker_py.broker.transaction_checks import TransactionChecks
from broker_py.errors import StoreError
from broker_py.model.topic import SCHEDULE_TOPIC, TIMER_TOPIC
from broker_py.store.store import Store

log = logging.getLogger(__name__)


class Services:
    """The services of one broker, put together."""

    def __init__(
        self,
        settings: BrokerSettings,
        host: Host,
        store: Store,
        tables: Tables,
        producers: ProducerTable,
        acks: AckPolicy,
        cold_reads: ColdReads,
        store_host: bytes,
    ) -> None:
        self._settings = settings
        config, clock = settings.broker, host.clock
        topics, offsets = tables.topics, tables.offsets
        self.own = own = OwnMessages(store, acks, _soon)
        self.timers = TimerService(store, own, host.files, clock, _later, cold_reads.fetch)
        self.deferral = Deferral(settings.store, clock, self.timers.congested)
        self.pop = PopService(
            config,
            store,
            topics,
            tables.groups,
            offsets,
            own,
            tables.file("consumerOrderInfo.json"),
            clock,
            store_host,
            _soon,
            cold_reads.fetch,
            self.deferral,
        )
        self.decisions = Decisions(config, own, store_host, clock)
        self.transaction_checks = TransactionChecks(
            config, store, topics, offsets, producers, own, self.decisions, cold_reads.read, store_host, clock
        )
        self.schedule = ScheduleService(store, own, tables.file("delayOffset.json"), clock, _later, cold_reads.fetch)

    def load(self) -> None:
        """Begin, once the store shows what it has; StoreError, OSError."""
        self.pop.load()
        if not self._settings.broker.is_slave:
            self.transaction_checks.start()
        self.pop.start()

    def start(self, periodic: Periodic) -> None:
        """Begin to store messages."""
        periodic.every(self.pop.pause_seconds, self.pop.step)
        if self._settings.broker.is_slave:
            return
        self.schedule.start()
        if self._settings.store.timer_wheel_enable:
            self.timers.start()
        periodic.every(lambda: self._settings.broker.transaction_op_batch_interval / 1000, self.decisions.write)
        periodic.every(lambda: self._settings.broker.transaction_check_interval / 1000, self.transaction_checks.run)

    def stop_delivering(self) -> None:
        """Deliver nothing more."""
        self.schedule.stop()
        self.timers.stop()

    def write_decisions(self) -> None:
        """What is not written down when the broker stops is checked again after its start."""
        try:
            self.decisions.write()
        except StoreError as error:
            log.warning("the last decisions about half messages are not written down: %s", error)

    def arrived(self, topic: str, queue_id: int, tags_code: int) -> None:
        """Consumers see one message more."""
        self.pop.waiting.arrived(topic, queue_id)
        if topic == SCHEDULE_TOPIC:
            self.schedule.arrived(queue_id, tags_code)
        elif topic == TIMER_TOPIC:
            self.timers.arrived()

    def figures(self) -> dict[str, Any]:
        """How far behind the deliveries are, for request 28."""
        return {**self.schedule.figures(), **self.timers.figures()}

    def configure(self, settings: BrokerSettings) -> None:
        """Follow changed properties from here on."""
        self._settings = settings
        self.deferral.configure(settings.store)
        self.decisions.configure(settings.broker)
        self.transaction_checks.configure(settings.broker)


def _soon(work: Callable[[], None]) -> object:
    """Have `work` called at the end of the event loop's turn."""
    return asyncio.get_running_loop().call_soon(work)


def _later(seconds: float, work: Callable[[], None]) -> asyncio.TimerHandle:
    """Have `work` called in so many seconds."""
    return asyncio.get_running_loop().call_later(seconds, work)
