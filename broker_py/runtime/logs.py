"""Log files that a person can read, where RocketMQ's people look for them.

~/logs/rocketmqlogs/namesrv.log
2026-11-23 06:15:39.123 INFO  nameserver: broker-a (id 0) registered from 127.0.0.1:10911
"""

import logging
import os
import sys
import time
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from typing import Final, TextIO

from broker_py.errors import ConfigError

_OWN_PACKAGE: Final = "broker_py"
_AUDIT: Final = "broker_py.audit"


@dataclass(frozen=True, kw_only=True)
class LogConfig:
    """How much of a log is kept: the file that is written, and as many full ones before it. Both are ours."""

    log_max_file_bytes: int = field(default=64 << 20, metadata={"range": (4096, 1 << 40)})
    log_kept_files: int = field(default=10, metadata={"range": (1, 1000)})


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


def start_logging(path: str, config: LogConfig, stderr: TextIO | None = None) -> None:
    """Log to the file `path`, and warnings to stderr too; ConfigError when the file can't be written.

    The directory is made if it is missing. When the file is full it becomes `<path>.1`, and that `<path>.2`.
    What tools changed is kept by itself, in `<path without .log>_audit.log`, with the same limits.
    """
    try:
        file = _open(path, config)
        audit_file = _open(path.removesuffix(".log") + "_audit.log", config, delay=True)
    except OSError as error:
        raise ConfigError(f"the log file {path} can't be written: {error.strerror or error}") from None
    screen = logging.StreamHandler(stderr or sys.stderr)
    screen.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in (file, screen):
        handler.setFormatter(LineFormatter())
        root.addHandler(handler)
    audit_file.setFormatter(LineFormatter())
    audit = logging.getLogger(_AUDIT)
    audit.propagate = False
    audit.addHandler(audit_file)


def _open(path: str, config: LogConfig, *, delay: bool = False) -> logging.Handler:
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    return RotatingFileHandler(
        path, maxBytes=config.log_max_file_bytes, backupCount=config.log_kept_files, encoding="utf-8", delay=delay
    )


def _level(record: logging.LogRecord) -> str:
    return "WARN" if record.levelno == logging.WARNING else record.levelname


def _speaker(logger: str) -> str:
    """Return `nameserver` for the logger broker_py.nameserver.server; the first part of any other name."""
    first, _, rest = logger.partition(".")
    return rest.partition(".")[0] if first == _OWN_PACKAGE and rest else first
