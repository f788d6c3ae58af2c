"""When what a broker knows reaches the disk: log, checkpoint, index, offsets, and how far deliveries are.

What may take long is done by threads, one for each kind of work.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from broker_py.broker.periodic import Periodic
from broker_py.broker.services import Services
from broker_py.broker.settings import BrokerSettings
from broker_py.broker.tables import Tables
from broker_py.broker.upkeep import Upkeep
from broker_py.errors import StoreError
from broker_py.store.config import StoreConfig
from broker_py.store.flusher import Flusher
from broker_py.store.store import Store

log = logging.getLogger(__name__)

# An index that lags takes a piece of the log, a millisecond or two of work, and then leaves this long to others.
_INDEX_PAUSE_SECONDS: Final = 0.005
_CHECKPOINT: Final = "the checkpoint"
_CONSUMER_OFFSETS: Final = "the consumer offsets"
_DELAY_OFFSETS: Final = "the offsets of delay levels"
_TIMERS: Final = "the checkpoint of timed messages"


class Saving:
    """`flushed` hears of each forcing of the log, with its error or None. `upkeep` knows what can't be written."""

    def __init__(
        self,
        settings: BrokerSettings,
        store: Store,
        tables: Tables,
        services: Services,
        upkeep: Upkeep,
        flushed: Callable[[BaseException | None], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._tables = tables
        self._services = services
        self._upkeep = upkeep
        self._flushed = flushed
        self._flusher: Flusher[Any] | None = None
        self._checkpointer: Flusher[Any] | None = None
        self._indexer: Flusher[Any] | None = None
        self._timer_saver: Flusher[Any] | None = None

    def start(self, periodic: Periodic) -> None:
        """Begin."""
        store, timers = self._store, self._services.timers
        post = asyncio.get_running_loop().call_soon_threadsafe
        self._flusher = Flusher(store.start_flush, store.finish_flush, post, "flusher")
        self._checkpointer = Flusher(store.start_checkpoint, store.finish_checkpoint, post, "checkpointer")
        self._timer_saver = Flusher(timers.start_checkpoint, timers.finish_checkpoint, post, "timers")
        self._indexer = Flusher(store.start_index_read, store.finish_index_read, post, "indexer")

        def config() -> StoreConfig:
            return self._settings.store

        every = periodic.every
        every(lambda: config().flush_interval_commit_log / 1000, self.flush)
        every(lambda: config().flush_interval_consume_queue / 1000, store.write_out)
        every(lambda: config().flush_consume_queue_thorough_interval / 1000, self.checkpoint)
        every(lambda: config().flush_delay_offset_interval / 1000, self._save_delay_offsets)
        every(lambda: config().timer_flush_interval_ms / 1000, self._save_timers)
        every(lambda: self._settings.broker.flush_consumer_offset_interval / 1000, self._save_offsets)
        every(lambda: _INDEX_PAUSE_SECONDS if store.index_lag_bytes else 1.0, self._complete_index)

    def stop(self) -> None:
        """Let running work end; no other begins."""
        for flusher in (self._flusher, self._checkpointer, self._indexer, self._timer_saver):
            if flusher is not None:
                flusher.stop()

    def save_all(self) -> None:
        """Save the rest, here and now: what was delivered first, then that it was."""
        self._services.transaction_checks.write_down()
        self._save_offsets()
        try:
            if self._store.flushed.value < self._store.written.value:
                self._store.flush_log()
        except StoreError as error:
            log.warning("some messages will be delivered once more: %s", error)
        self._save_delay_offsets()
        try:
            self._services.timers.checkpoint()
        except (StoreError, OSError) as error:
            log.warning("some timed messages will be delivered once more: %s", error)

    def flush(self) -> None:
        """Have the log forced to disk."""
        if self._flusher is not None and self._store.flushed.value < self._store.written.value:
            self._flusher.request(self._flushed)

    def checkpoint(self) -> None:
        """Have queues and index forced, and a checkpoint say so."""
        if self._checkpointer is not None and not self._checkpointer.busy and self._store.admission.broken is None:
            self._checkpointer.request(lambda error: self._saved(_CHECKPOINT, error))

    def _saved(self, what: str, error: BaseException | None) -> None:
        if error is not None:
            self._upkeep.failed(what, error)
        else:
            self._upkeep.done(what)

    def _save_offsets(self) -> None:
        pop = self._services.pop
        pop.revive_log.note_position()
        try:
            self._tables.offsets.save()
            pop.order.save()
        except OSError as error:
            self._saved(_CONSUMER_OFFSETS, error)
        else:
            self._saved(_CONSUMER_OFFSETS, None)

    def _save_delay_offsets(self) -> None:
        try:
            self._services.schedule.save()
        except OSError as error:
            self._saved(_DELAY_OFFSETS, error)
        else:
            self._saved(_DELAY_OFFSETS, None)

    def _save_timers(self) -> None:
        saver = self._timer_saver
        if saver is None or saver.busy or self._store.admission.fault is not None:
            return
        if self._services.timers.checkpoint_due():
            saver.request(lambda error: self._saved(_TIMERS, error))

    def _complete_index(self) -> None:
        if self._indexer is not None and not self._indexer.busy and self._store.index_read_due:
            self._indexer.request(lambda _: None)

    def configure(self, settings: BrokerSettings) -> None:
        """Follow changed properties from here on."""
        self._settings = settings
