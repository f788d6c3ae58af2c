"""Files of a store's config directory that slaves ask for, as they are.

    delayOffset.json          how far each delay level is delivered, see `schedule`
    timercheck                how far timed messages are, see `timers`
    timermetrics              how many there are (store timer/TimerMetrics): a Java broker's, kept for it

What else lies there (consumerFilter.json, topicQueueMapping.json) is not touched.
"""

from dataclasses import replace
from typing import Any, Final

from broker_py.broker.metadata import MetadataFile
from broker_py.errors import ProtocolError
from broker_py.model.data_version import DataVersion
from broker_py.seams import FileSystem
from broker_py.store.timer_checkpoint import CHECKPOINT_FILE_BYTES, TimerCheckpoint, decode_checkpoint
from broker_py.wire.fastjson import dumps, loads_trusted

TIMER_CHECKPOINT_BYTES: Final = 56  # on the wire; the file is longer


class KeptFiles:
    """Those files in `directory`. Reading may raise OSError."""

    def __init__(self, files: FileSystem, directory: str) -> None:
        self._delay_offsets = MetadataFile(files, directory, "delayOffset.json")
        self._timer_metrics = MetadataFile(files, directory, "timermetrics")
        self._timer_checkpoint = MetadataFile(files, directory, "timercheck")

    def delay_offsets(self) -> bytes:
        """Return the body of request 45."""
        return self._delay_offsets.text() or _empty("offsetTable")

    def timer_metrics(self) -> bytes:
        """Return the body of request 61."""
        return self._timer_metrics.text() or _empty("timingCount")

    def timer_checkpoint(self) -> bytes:
        """Return the body of request 60; zeros, by which nothing was delivered yet, when there is none."""
        text = self._timer_checkpoint.text() or b""
        return text[:TIMER_CHECKPOINT_BYTES].ljust(TIMER_CHECKPOINT_BYTES, b"\0")

    def take_timer_checkpoint(self, data: bytes) -> None:
        """Note how far the master is, by its body of request 60; what our own files hold stays. StoreError, OSError."""
        master = decode_checkpoint(data)
        text = self._timer_checkpoint.text()
        mine = decode_checkpoint(text) if text else TimerCheckpoint()
        content = replace(master, log_end=mine.log_end, queue_offset=min(mine.queue_offset, master.master_queue_offset))
        if content != mine:
            self._timer_checkpoint.save_text(content.encode().ljust(CHECKPOINT_FILE_BYTES, b"\0"))

    def take_delay_offsets(self, text: bytes) -> None:
        """Make the master's body of request 45 ours, durably. ProtocolError when it is none, OSError."""
        _take(self._delay_offsets, text, "offsetTable")


def _empty(table: str) -> bytes:
    content: dict[str, Any] = {"dataVersion": DataVersion().to_json(), table: {}}
    return dumps(content)


def _take(file: MetadataFile, text: bytes, table: str) -> None:
    if not isinstance(loads_trusted(text).get(table), dict):
        raise ProtocolError(f"the master's answer has no {table}")
    if text != file.text():
        file.save_text(text)
