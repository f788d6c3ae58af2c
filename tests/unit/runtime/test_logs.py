"""Lines in log files."""

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_py.errors import ConfigError
from broker_py.runtime.logs import LineFormatter, LogConfig, start_logging


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger; afterwards without what a test started."""
    logger = logging.getLogger()
    level = logger.level
    yield logger
    audit = logging.getLogger("broker_py.audit")
    audit.propagate = True
    for each in (logger, audit):
        for handler in ours(each):
            each.removeHandler(handler)
            handler.close()
    logger.setLevel(level)


def ours(logger: logging.Logger) -> list[logging.Handler]:
    return [handler for handler in logger.handlers if isinstance(handler.formatter, LineFormatter)]


def line(name: str, level: int, message: str, *args: object) -> str:
    return LineFormatter().format(logging.LogRecord(name, level, "", 0, message, args, None))


def test_a_line_has_its_time_its_level_who_speaks_and_what() -> None:
    text = line("broker_py.nameserver.handlers.registration", logging.INFO, "%s (id %d) registered", "broker-a", 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO  nameserver: broker-a \(id 0\) registered", text)


@pytest.mark.parametrize(
    ("name", "speaker"),
    [("broker_py.store.log", "store"), ("broker_py", "broker_py"), ("asyncio", "asyncio"), ("a.b", "a")],
)
def test_the_speaker_is_a_part_of_the_program(name: str, speaker: str) -> None:
    assert f" {speaker}: x" in line(name, logging.ERROR, "x")


def test_a_message_can_not_pass_for_two_lines() -> None:
    assert line("a", logging.INFO, "one\r\n2026-11-23 forged").endswith("a: one\\r\\n2026-11-23 forged")


def test_an_exception_follows_with_its_trace() -> None:
    record = logging.LogRecord("a", logging.ERROR, "", 0, "failed", (), None)
    try:
        raise ValueError("why")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    first, *rest = LineFormatter().format(record).splitlines()
    assert first.endswith("ERROR a: failed")
    assert rest[-1] == "ValueError: why"


def test_all_goes_to_the_file_and_warnings_to_stderr_too(root: logging.Logger, tmp_path: Path) -> None:
    path, screen = tmp_path / "logs" / "namesrv.log", io.StringIO()
    start_logging(str(path), LogConfig(), screen)
    root.debug("a detail")
    root.info("a fact")
    root.warning("a worry")
    assert [text.partition("root: ")[2] for text in path.read_text().splitlines()] == ["a fact", "a worry"]
    assert screen.getvalue().count("\n") == 1
    assert screen.getvalue().endswith("WARN  root: a worry\n")


def test_a_full_file_is_put_aside_and_so_many_are_kept(root: logging.Logger, tmp_path: Path) -> None:
    path = tmp_path / "namesrv.log"
    start_logging(str(path), LogConfig(log_max_file_bytes=100, log_kept_files=3), io.StringIO())
    for number in range(50):
        root.info("%d %s", number, "x" * 60)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["namesrv.log", *(f"namesrv.log.{n}" for n in (1, 2, 3))]
    assert "49 x" in path.read_text()


def test_a_file_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"the log file .* can't be written: "):
        start_logging(str(tmp_path / "file" / "namesrv.log"), LogConfig())


def test_what_tools_changed_is_kept_by_itself(root: logging.Logger, tmp_path: Path) -> None:
    start_logging(f"{tmp_path}/broker.log", LogConfig(), io.StringIO())
    logging.getLogger("broker_py.audit").info("who did what")
    assert (tmp_path / "broker_audit.log").read_text().endswith("INFO  audit: who did what\n")
    assert (tmp_path / "broker.log").read_text() == ""
