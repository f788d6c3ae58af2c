"""What every consume queue had when the checkpoint was written: a file beside it, which Java leaves alone.

    <storePathRootDir>/queues.json
    {"logOffset":4096,"logMinOffset":0,"fileBytes":6000000,"queues":{"TopicTest":{"0":[0,12],"1":[0,11]}}}
    1c291ca3                                                          CRC-32 of the line before

Each queue has its first offset and the one behind its last. A queue is derived from the log, so one that has less at
the next start is filled again; without this file nobody could tell that a queue's files are gone.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from broker_py.seams import FileSystem, read_file, replace_file

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueueEnds:
    """(topic, queue id) → (first offset, end), for all messages before `log_offset` in a log from `log_min_offset` on.

    `file_bytes` is the length of the queues' files.
    """

    log_offset: int
    log_min_offset: int
    file_bytes: int
    queues: dict[tuple[str, int], tuple[int, int]]


def write_queue_ends(files: FileSystem, path: str, ends: QueueEnds) -> None:
    """Replace the file at `path`, durably. OSError."""
    topics: dict[str, dict[str, list[int]]] = {}
    for (topic, queue_id), span in ends.queues.items():
        topics.setdefault(topic, {})[str(queue_id)] = list(span)
    content = {
        "logOffset": ends.log_offset,
        "logMinOffset": ends.log_min_offset,
        "fileBytes": ends.file_bytes,
        "queues": topics,
    }
    line = json.dumps(content, separators=(",", ":")).encode() + b"\n"
    replace_file(files, path, line + b"%08x\n" % crc32(line))


def read_queue_ends(files: FileSystem, path: str, log_offset: int | None) -> QueueEnds | None:
    """Return what the file says of the queues at `log_offset`; None when it is missing, broken, or of another time."""
    if log_offset is None or not files.exists(path):
        return None
    try:
        line, _, crc = read_file(files, path).partition(b"\n")
        if int(crc, 16) != crc32(line + b"\n"):
            raise ValueError("its CRC is another one")
        content: Any = json.loads(line)
        ends = QueueEnds(
            int(content["logOffset"]),
            int(content["logMinOffset"]),
            int(content["fileBytes"]),
            {
                (str(topic), int(queue_id)): (int(first), int(end))
                for topic, queues in content["queues"].items()
                for queue_id, (first, end) in queues.items()
            },
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _log.warning("%s can't be read, so no queue is compared with it: %r", path, error)
        return None
    return ends if ends.log_offset == log_offset else None
