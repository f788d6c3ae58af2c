"""Log files that a person can read, where RocketMQ's people look for them.

~/logs/rocketmqlogs/namesrv.log
2026-11-23 06:15:39.123 INFO  nameserver: broker-a (id 0) registered from 127.0.0.1:10911
"""

import logging
import os
import sys
import time
from logging.handlers import RotatingFileHandler
from typing import Final, TextIO

from broker_py.errors import ConfigError

MAX_FILE_BYTES: Final = 64 << 20
KEPT_FILES: Final = 10
_OWN_PACKAGE: Final = "broker_py"


class LineFormatter(logging.Formatter):
    """One line a record: time in milliseconds, level, the part of the program that speaks, and what it says."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and behind it the trace of an exception."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        milliseconds = int(record.msecs)
        # What peers sent may be part of a message; it must not look like another line.
        message = record.getMessage().replace("\n", "\\n").replace("\r", "\\r")
        line = f"{moment}.{milliseconds:03d} {_level(record):<5} {_speaker(record.name)}: {message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def start_logging(path: str, stderr: TextIO | None = None) -> None:
    """Log to the file `path`, and warnings to stderr too; ConfigError when the file can't be written.

    The directory is made if it is missing. When the file has 64 MiB it becomes `<path>.1`; ten of these are kept.
    """
    try:
        file = _open(path)
    except OSError as error:
        raise ConfigError(f"the log file {path} can't be written: {error.strerror or error}") from None
    screen = logging.StreamHandler(stderr or sys.stderr)
    screen.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in (file, screen):
        handler.setFormatter(LineFormatter())
        root.addHandler(handler)


def _open(path: str) -> logging.Handler:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return RotatingFileHandler(path, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8")


def _level(record: logging.LogRecord) -> str:
    return "WARN" if record.levelno == logging.WARNING else record.levelname


def _speaker(logger: str) -> str:
    """Return `nameserver` for the logger broker_py.nameserver.server; the first part of any other name."""
    first, _, rest = logger.partition(".")
    return rest.partition(".")[0] if first == _OWN_PACKAGE and rest else first
