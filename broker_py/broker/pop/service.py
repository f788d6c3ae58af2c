"""POP of one broker, put together. What serves it over a wire calls `popper` and `acker`."""

import random
from collections.abc import Callable

from broker_py.broker.config import BrokerConfig
from broker_py.broker.consumer_offsets import ConsumerOffsetTable
from broker_py.broker.deferral import Deferral
from broker_py.broker.groups import GroupTable
from broker_py.broker.metadata import MetadataFile
from broker_py.broker.own_messages import OwnMessages
from broker_py.broker.pop.acking import Acker
from broker_py.broker.pop.checkpoints import revive_topic
from broker_py.broker.pop.order import OrderTable
from broker_py.broker.pop.popping import Popper
from broker_py.broker.pop.revive_log import Fetch, ReviveLog
from broker_py.broker.pop.waiting import WaitingPops
from broker_py.broker.topics import TopicTable
from broker_py.seams import Clock
from broker_py.store.store import Store

_STEP_SECONDS = 0.1
_BEHIND_SECONDS = 0.005


class PopService:
    """Nothing of it runs on a slave. `soon(work)` has `work` called at the end of the event loop's turn."""

    def __init__(
        self,
        config: BrokerConfig,
        store: Store,
        topics: TopicTable,
        groups: GroupTable,
        offsets: ConsumerOffsetTable,
        own: OwnMessages,
        order_file: MetadataFile,
        clock: Clock,
        host: bytes,
        soon: Callable[[Callable[[], None]], object],
        fetch: Fetch,
        deferral: Deferral,
        random_below: Callable[[int], int] = random.randrange,
    ) -> None:
        self._config = config
        self.order = OrderTable(order_file, clock)
        self.waiting = WaitingPops(soon, clock)
        self.revive_log = ReviveLog(
            revive_topic(config.broker_cluster_name), store, topics, groups, offsets, own, clock, host, fetch, deferral
        )
        self.popper = Popper(
            config.broker_name,
            store,
            topics,
            offsets,
            self.order,
            self.revive_log,
            self.waiting,
            clock,
            random_below,
        )
        self.acker = Acker(offsets, self.order, self.revive_log, self.waiting, clock)

    def load(self) -> None:
        """Read what is out in order; StoreError, OSError."""
        self.order.load()

    def start(self) -> None:
        """Begin, once the store shows what it has."""
        if not self._config.is_slave:
            self.revive_log.start(self._config.revive_queue_num)

    def step(self) -> None:
        """Read the revive log on and revive what is due."""
        was_ready = self.revive_log.ready
        self.revive_log.step()
        if self.revive_log.ready and not was_ready:
            self.waiting.notify_all()

    def pause_seconds(self) -> float:
        """How long to wait before the next `step`."""
        return _BEHIND_SECONDS if self.revive_log.behind else _STEP_SECONDS
