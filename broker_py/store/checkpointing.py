"""The work of a checkpoint: what it vouches for is forced first, by any thread."""

from dataclasses import replace

from broker_py.seams import FileSystem
from broker_py.store.checkpoint import Checkpoint, write_checkpoint
from broker_py.store.commit_log import LogFlush
from broker_py.store.config import StoreConfig
from broker_py.store.index_write import IndexWrite
from broker_py.store.queue_ends import QueueEnds, write_queue_ends
from broker_py.store.queue_table import QueuesSync


class CheckpointWork:
    """Forces log, queues and index, and writes what the queues have and the checkpoint that says so.

    `run` may be called by any thread. `vouched` tells after a failure whether only the checkpoint could not be written,
    which may be tried again. An index that could not be written fails nothing: the checkpoint then says of it what the
    last one said.
    """

    __slots__ = ("_config", "_ends", "_files", "_sync", "checkpoint", "flush", "index", "vouched")

    def __init__(
        self,
        files: FileSystem,
        config: StoreConfig,
        flush: LogFlush,
        sync: QueuesSync,
        ends: QueueEnds,
        index: IndexWrite | None,
        checkpoint: Checkpoint,
    ) -> None:
        self._files = files
        self._config = config
        self._sync = sync
        self._ends = ends
        self.flush = flush
        self.index = index
        self.checkpoint = checkpoint
        self.vouched = False

    def run(self) -> None:
        """Write the checkpoint last: it vouches for the others. OSError."""
        self.flush.run()
        self._sync.run()
        self.vouched = True
        if self.index is not None:  # behind the log: what it points at must be there
            self.index.run()
            if self.index.done:
                self.checkpoint = replace(self.checkpoint, index_mark=self.index.mark, index_ms=self.index.full_ms)
        write_queue_ends(self._files, self._config.queue_ends_path, self._ends)
        write_checkpoint(self._files, self._config.checkpoint_path, self.checkpoint)
